"""The random numbers of one corruption: a function of the example, not of its batch."""

from functools import lru_cache

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from robust_tuning.randomness import words

LEVELS = 1 << 16


class Draws:
    """Random numbers of 16 bits, which decide the same pixels on every device and in any batch.

    Everything is looked up or computed in whole numbers: nothing depends on how a logarithm is
    rounded.

    Args:
        keys: One per example, `(B,)` int64.
        stream: What tells this corruption and severity from others; not negative, below 2^48.
    """

    def __init__(self, keys: Tensor, stream: int) -> None:
        self.keys = keys
        self.stream = stream

    def levels(self, which: int, *shape: int) -> Tensor:
        """Whole numbers with equal chances from 0 to 65535.

        Args:
            which: Number of the draw, 0 to 15: another one, other numbers.
            shape: Of what each example gets.

        Returns:
            `(B, *shape)` int32.
        """
        n = int(np.prod(shape))
        counters = torch.full_like(self.keys, self.stream * 16 + which)
        quarters = words(self.keys, counters, -(-n // 4)).view(torch.int16)[:, :n]
        return (quarters.to(torch.int32) + LEVELS // 2).reshape(len(self.keys), *shape)

    def uniform(self, which: int, *shape: int) -> Tensor:
        """Numbers in the open interval (0, 1): the midpoints of 65,536 equal parts.

        Returns:
            `(B, *shape)` float32.
        """
        return (self.levels(which, *shape).float() + 0.5) / LEVELS

    def normal(self, which: int, *shape: int) -> Tensor:
        """Standard normal numbers: its quantiles at those midpoints, in steps of 2^-14.

        The largest is 4.32 and the variance 0.9999.

        Returns:
            `(B, *shape)` float32.
        """
        levels = self.levels(which, *shape)
        return _quantiles(self.keys.device).index_select(0, levels.flatten()).reshape(levels.shape)

    def below(self, which: int, bound: int, *shape: int) -> Tensor:
        """Whole numbers from 0 to `bound - 1`, with equal chances to one part in 65,536 / bound.

        Returns:
            `(B, *shape)` int64.
        """
        return (self.levels(which, *shape).long() * bound) >> 16


@lru_cache(maxsize=4)
def _quantiles(device: torch.device) -> Tensor:
    numbers = ndtri((np.arange(LEVELS) + 0.5) / LEVELS)
    steps = np.round(numbers * 2**14) / 2**14
    return torch.from_numpy(steps.astype(np.float32)).to(device)
