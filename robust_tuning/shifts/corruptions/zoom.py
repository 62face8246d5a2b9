"""Enlarge the centre of an image to its whole size."""

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor


def zoomed(images: Tensor, factor: float) -> Tensor:
    """Cut out the centre and enlarge it linearly, its corners onto the corners.

    As `scipy.ndimage.zoom` of order 1 does to a crop of `ceil(side / factor)` pixels, of whose
    result the middle is taken. The reference implementation knows only square images; here each
    axis is treated so.

    Args:
        images: `(..., H, W)` float32.
        factor: At least 1.

    Returns:
        `(..., H, W)` float32.
    """
    # Rows, then columns as rows of the turned image: taking rows is fast, taking columns is not.
    for _ in range(2):
        first, second, share = _places(images.shape[-2], factor, images.device)
        near = images.index_select(-2, first)
        far = images.index_select(-2, second)
        images = far.sub_(near).mul_(share[:, None]).add_(near).mT.contiguous()
    return images


@lru_cache(maxsize=128)
def _places(size: int, factor: float, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Between which two pixels each new one lies, and how far from the first."""
    crop = math.ceil(size / factor)
    start = (size - crop) // 2
    enlarged = round(crop * factor)
    trim = (enlarged - size) // 2
    places = np.arange(trim, trim + size) * ((crop - 1) / (enlarged - 1))
    first = np.minimum(places.astype(np.int64), crop - 1)
    second = np.minimum(first + 1, crop - 1)
    share = (places - first).astype(np.float32)
    return (
        torch.from_numpy(start + first).to(device),
        torch.from_numpy(start + second).to(device),
        torch.from_numpy(share).to(device),
    )
