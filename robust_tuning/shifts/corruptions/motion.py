"""Blur along a line, as by a moving camera."""

import math

import torch
import torch.nn.functional as F  # noqa: N812  the field's name for it
from torch import Tensor

from robust_tuning.shifts.corruptions.draws import Draws


def motion_blur(images: Tensor, draws: Draws, parameters: tuple[int, float]) -> Tensor:
    """Blur along a direction within 45 degrees of the horizontal.

    The reference lets ImageMagick do this, whose result has levels of 8 bits that are rounded, not
    cut. Here the kernel is our own, see `smeared`, and the result is rounded as well.

    Args:
        images: `(B, 3, H, W)` uint8.
        draws: Where the angle comes from.
        parameters: Radius and sigma of the kernel, in pixels.
    """
    angles = draws.uniform(0, 1).flatten() * 90 - 45
    return smeared(images.float(), *parameters, angles).add_(0.5).byte()


def smeared(layers: Tensor, radius: int, sigma: float, angles: Tensor) -> Tensor:
    """Average each layer along a line that begins at the pixel, the border repeated.

    The weights are one half of a Gaussian in `2 * radius + 1` steps of one pixel, each rounded to
    the nearest one: what ImageMagick describes as its motion blur.

    Args:
        layers: `(B, C, H, W)` float32.
        radius: In pixels.
        sigma: Of the Gaussian, in pixels.
        angles: In degrees, one per layer, clockwise from the right: `(B,)`.

    Returns:
        `(B, C, H, W)` float32.
    """
    reach = 2 * radius
    height, width = layers.shape[-2:]
    padded = F.pad(layers, (reach,) * 4, mode="replicate")
    term = torch.empty_like(layers[0])
    total = torch.zeros_like(layers)
    for layer, angle, out in zip(padded, angles.tolist(), total, strict=True):
        for (down, right), weight in _line(radius, sigma, angle).items():
            top, left = reach + down, reach + right
            shifted = layer[:, top : top + height, left : left + width]
            # Not in one operation, which may round once or twice as vectors happen to lie.
            out += torch.mul(shifted, weight, out=term)
    return total


def _line(radius: int, sigma: float, angle: float) -> dict[tuple[int, int], float]:
    """Weights of the pixels on the line, by rows down and columns to the right."""
    down, right = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    steps = range(2 * radius + 1)
    weights = [math.exp(-(step**2) / (2 * sigma**2)) for step in steps]
    line: dict[tuple[int, int], float] = {}
    for step, weight in zip(steps, weights, strict=True):
        place = (math.ceil(step * down - 0.5), math.ceil(step * right - 0.5))
        line[place] = line.get(place, 0.0) + weight / sum(weights)
    return line
