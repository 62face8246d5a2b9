"""What storing an image does to it: coarse pixels and JPEG, by Pillow."""

import io
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from robust_tuning.shifts.corruptions.draws import Draws

_BOX = Image.Resampling.BOX


def pixelate(images: Tensor, _: Draws, scale: float) -> Tensor:
    """Reduce both sides to `int(scale * side)` and enlarge again, by Pillow's box filter.

    Pillow resizes along rows, rounds, and resizes along columns. Here all channels of a batch are
    one picture, below each other for the former and side by side for the latter: the same result in
    fewer calls. Enlarging repeats pixels.
    """
    height, width = images.shape[-2:]
    below = images.cpu().numpy().reshape(-1, width)
    n, low, narrow = len(below) // height, int(scale * height), int(scale * width)
    below = np.asarray(Image.fromarray(below).resize((narrow, n * height), _BOX))
    beside = below.reshape(n, height, narrow).transpose(1, 0, 2).reshape(height, -1)
    beside = np.asarray(Image.fromarray(beside).resize((n * narrow, low), _BOX))
    small = beside.reshape(low, n, narrow).transpose(1, 0, 2)
    coarse = small.take(_repeats(narrow, width), axis=2).take(_repeats(low, height), axis=1)
    return torch.from_numpy(coarse).reshape(images.shape).to(images.device)


@lru_cache(maxsize=32)
def _repeats(small: int, size: int) -> NDArray[np.int64]:
    """Which of `small` pixels in a line Pillow puts where when it enlarges them to `size`."""
    ramp = Image.fromarray(np.arange(small, dtype=np.float32)[None])
    places: NDArray[np.int64] = np.asarray(ramp.resize((size, 1), _BOX))[0].astype(np.int64)
    return places


def jpeg_compression(images: Tensor, _: Draws, quality: int) -> Tensor:
    """Write and read a JPEG file of a `quality` (1 to 95) in memory, one image at a time."""
    height, width = images.shape[-2:]
    # Red, green and blue by turns, a row each: fast to copy from and to whole channels.
    lines = images.cpu().numpy().transpose(0, 2, 1, 3).copy()
    for line in lines:
        file = io.BytesIO()
        Image.frombytes("RGB", (width, height), line, "raw", "RGB;L").save(
            file, "JPEG", quality=quality
        )
        with Image.open(file, formats=("JPEG",)) as stored:
            line[:] = np.frombuffer(stored.tobytes("raw", "RGB;L"), np.uint8).reshape(line.shape)
    return torch.from_numpy(lines.transpose(0, 2, 1, 3).copy()).to(images.device)
