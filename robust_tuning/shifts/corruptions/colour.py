"""Brightness, contrast and saturation."""

import torch
from torch import Tensor

from robust_tuning.shifts.corruptions.draws import Draws
from robust_tuning.shifts.corruptions.levels import truncated


def brightness(images: Tensor, _: Draws, increase: float) -> Tensor:
    """Add to the value in HSV, in units of the whole range.

    Hue and saturation stay, so that all three channels grow in proportion; black becomes grey.
    """
    pixels = images.float()
    value = pixels.amax(1, keepdim=True)
    brighter = (value + 255 * increase).clamp(max=255)
    proportion = brighter / value.clamp(min=1)
    return truncated(torch.where(value > 0, pixels * proportion, brighter))


def saturate(images: Tensor, _: Draws, parameters: tuple[float, float]) -> Tensor:
    """Change the saturation in HSV to `factor * saturation + offset`, at most 1.

    Grey has hue 0, as in scikit-image: with an offset it turns red.
    """
    factor, offset = parameters
    pixels = images.float()
    value = pixels.amax(1, keepdim=True)
    span = value - pixels.amin(1, keepdim=True)
    saturation = span / value.clamp(min=1)
    changed = (saturation * factor + offset).clamp(0, 1)
    red = torch.tensor([0.0, 1.0, 1.0], device=images.device)[:, None, None]
    missing = torch.where(span > 0, (value - pixels) / span.clamp(min=1), red)
    return truncated(value - value * changed * missing)


def contrast(images: Tensor, _: Draws, factor: float) -> Tensor:
    """Bring every pixel nearer to its channel's mean over the image."""
    height, width = images.shape[-2:]
    # In whole numbers: a sum that is exact in any order.
    means = images.sum((2, 3), keepdim=True).double() / (height * width)
    return truncated((images - means) * factor + means)
