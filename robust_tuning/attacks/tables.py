"""Small tables of numbers, on the device where they are looked up."""

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=256)
def on_device(numbers: tuple[int, ...], device: torch.device) -> Tensor:
    """A table as a tensor that is copied to its device once; to copy it in each step has a price.

    Args:
        numbers: What it holds.
        device: Where.

    Returns:
        `(len(numbers),)` int64, shared by all who ask: never change it.

    >>> on_device((3, 1), torch.device("cpu"))
    tensor([3, 1])
    """
    with torch.inference_mode(mode=False):
        return torch.tensor(numbers, dtype=torch.int64, device=device)
