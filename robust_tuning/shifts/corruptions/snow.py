"""Falling snow."""

from typing import NamedTuple

import torch
from torch import Tensor

from robust_tuning.shifts.corruptions.draws import Draws
from robust_tuning.shifts.corruptions.levels import truncated
from robust_tuning.shifts.corruptions.motion import smeared
from robust_tuning.shifts.corruptions.zoom import zoomed


class Snowfall(NamedTuple):
    """How it snows.

    Attributes:
        mean: Of the normal noise that flakes are cut from, in units of the whole range.
        deviation: Its standard deviation.
        size: By how much the flakes are enlarged.
        threshold: Below it there is no flake.
        radius: Of the motion's kernel, in pixels.
        sigma: Of the motion's kernel, in pixels.
        mix: Share of the image that is not whitened.
    """

    mean: float
    deviation: float
    size: float
    threshold: float
    radius: int
    sigma: float
    mix: float


def snow(images: Tensor, draws: Draws, fall: Snowfall) -> Tensor:
    """Whiten the image and let flakes fall, within 45 degrees of the vertical.

    The flakes are added twice, the second time turned by 180 degrees. The reference draws their
    motion by ImageMagick, on 8 bits, cutting before and rounding after; here as in `motion_blur`.
    """
    height, width = images.shape[-2:]
    noise = fall.mean + fall.deviation * draws.normal(0, 1, height, width)
    flakes = zoomed(noise, fall.size)
    flakes = torch.where(flakes < fall.threshold, 0.0, flakes)
    angles = draws.uniform(1, 1).flatten() * 90 - 135
    flakes = smeared(truncated(255 * flakes).float(), fall.radius, fall.sigma, angles)
    flakes = (flakes + 0.5).floor()
    pixels = images.float()
    white = 1.5 * grey(pixels) + 127.5
    whitened = fall.mix * pixels + (1 - fall.mix) * torch.maximum(pixels, white)
    return truncated(whitened + flakes + flakes.flip(2, 3))


def grey(images: Tensor) -> Tensor:
    """Luma of BT.601, `(B, 3, H, W)` to `(B, 1, H, W)`."""
    red, green, blue = images.unbind(1)
    return (0.299 * red + 0.587 * green + 0.114 * blue)[:, None]
