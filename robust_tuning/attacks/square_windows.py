"""Square windows of images, one per row of a batch, and the bumps that fill them."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from robust_tuning.types import Norm


@dataclass(frozen=True)
class Windows:
    """A square of each image, with sides that may differ.

    Attributes:
        rows: Where each row of pixels lies below the top of the window `(B, H, 1)` int64.
        columns: Where each column lies right of its left edge `(B, 1, W)` int64.
        sides: `(B, 1, 1)` int64.
    """

    rows: Tensor
    columns: Tensor
    sides: Tensor

    @property
    def mask(self) -> Tensor:
        """Which pixels lie within `(B, 1, H, W)`."""
        below = (self.rows >= 0) & (self.rows < self.sides)
        right = (self.columns >= 0) & (self.columns < self.sides)
        return (below & right)[:, None]


def windows(numbers: Tensor, sides: Tensor, height: int, width: int) -> Windows:
    """Place windows uniformly where they fit.

    Args:
        numbers: Uniform in [0, 1), for the vertical and the horizontal place `(B, 2)`.
        sides: `(B,)` int64, at most the height and the width.
        height: Of the images.
        width: Of the images.
    """
    room = torch.stack([height - sides, width - sides], dim=1)
    places = (numbers * (room + 1)).long()
    rows = torch.arange(height, device=sides.device)[None, :, None] - places[:, 0, None, None]
    columns = torch.arange(width, device=sides.device)[None, None, :] - places[:, 1, None, None]
    return Windows(rows, columns, sides[:, None, None])


def bump(side: int, norm: Norm) -> Tensor:
    """Two pyramids one above the other, the lower one upside down `(side, side)` float64.

    Its length is 1. Within a pyramid around `m`, a pixel at (Chebyshev) distance `d` has height
    `sum_{k=d}^{n} 1 / (k + 1)^p`, where `n` is the largest distance or one more, and `p` is 2 for
    `l2` and 4 for `l1`.

    Source: arXiv 1912.00049, section 3.4 (`eta`), as its reference implementation discretises it;
    for `l1` that of arXiv 2103.01208.

    Args:
        side: In pixels.
        norm: `l2` or `l1`; also that in which its length is 1.

    >>> bump(2, "l2")
    tensor([[ 0.1387,  0.6934],
            [-0.1387, -0.6934]], dtype=torch.float64)
    """
    upper = side // 2
    halves = torch.cat([_pyramid(upper, side, norm), -_pyramid(side - upper, side, norm)])
    return _unit(halves, norm)


def _pyramid(height: int, width: int, norm: Norm) -> Tensor:
    power = 4 if norm == "l1" else 2
    terms = torch.arange(1, max(height, width) // 2 + 2, dtype=torch.float64) ** -power
    heights = terms.flip(0).cumsum(0).flip(0)
    rows = (torch.arange(height) - height // 2).abs()
    columns = (torch.arange(width) - width // 2).abs()
    return _unit(heights[torch.maximum(rows[:, None], columns)], norm)


def _unit(pattern: Tensor, norm: Norm) -> Tensor:
    unit: Tensor = pattern / pattern.flatten().norm(1 if norm == "l1" else 2)
    return unit


@lru_cache(maxsize=64)
def bumps(sides: tuple[int, ...], norm: Norm, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The bumps of several sides, with zeros below and to the right `(len(sides), S, S)`.

    Made once, and shared by all who ask: never change it.
    """
    with torch.inference_mode(mode=False):
        padded = torch.zeros(len(sides), max(sides), max(sides), dtype=torch.float64)
        for place, side in enumerate(sides):
            padded[place, :side, :side] = bump(side, norm)
        return padded.to(device, dtype)


def stamped(patterns: Tensor, which: Tensor, turned: Tensor, where: Windows) -> Tensor:
    """Put a pattern into each window; what lies outside means nothing.

    Args:
        patterns: `(P, S, S)`.
        which: Of each row `(B,)` int64.
        turned: Whether its rows and columns change places `(B,)` bool.
        where: The windows, of the patterns' sides.

    Returns:
        `(B, 1, H, W)`.
    """
    last = patterns.shape[1] - 1
    rows, columns = where.rows.clamp(0, last), where.columns.clamp(0, last)
    turn = turned[:, None, None]
    first = torch.where(turn, columns, rows)
    second = torch.where(turn, rows, columns)
    return patterns[which[:, None, None], first, second][:, None]
