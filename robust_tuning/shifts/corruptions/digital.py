"""What storing an image does to it: coarse pixels and JPEG, by Pillow and one image at a time."""

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from robust_tuning.shifts.corruptions.draws import Draws


def pixelate(images: Tensor, _: Draws, scale: float) -> Tensor:
    """Reduce both sides to `int(scale * side)` and enlarge again, by Pillow's box filter."""

    def coarse(image: Image.Image) -> Image.Image:
        small = (int(image.width * scale), int(image.height * scale))
        return image.resize(small, Image.Resampling.BOX).resize(image.size, Image.Resampling.BOX)

    return _each(images, coarse)


def jpeg_compression(images: Tensor, _: Draws, quality: int) -> Tensor:
    """Write and read a JPEG file of a `quality` (1 to 95) in memory."""

    def stored(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return _each(images, stored)


def _each(images: Tensor, change: Callable[[Image.Image], Image.Image]) -> Tensor:
    pixels = images.cpu().numpy()
    changed = np.empty_like(pixels)
    for channels, out in zip(pixels, changed, strict=True):
        # Channel by channel: Pillow interleaves them faster than a transposed copy does.
        image = Image.merge("RGB", [Image.fromarray(channel) for channel in channels])
        for channel, corrupted in zip(out, change(image).split(), strict=True):
            channel[:] = np.asarray(corrupted)
    return torch.from_numpy(changed).to(images.device)
