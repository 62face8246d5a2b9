"""Fog of uneven density."""

import torch
from torch import Tensor

from robust_tuning.shifts.corruptions.draws import LEVELS, Draws
from robust_tuning.shifts.corruptions.levels import truncated


def fog(images: Tensor, draws: Draws, parameters: tuple[float, float]) -> Tensor:
    """Add a fractal and scale so that the brightest value of the image stays.

    Args:
        images: `(B, 3, H, W)` uint8.
        draws: Where the fractal comes from.
        parameters: Height of the fractal in units of the whole range, and by how much its
            roughness decreases with every halving of the scale.
    """
    density, decay = parameters
    height, width = images.shape[-2:]
    fractal = plasma(draws, 1 << (max(height, width) - 1).bit_length(), decay)
    brightest = images.amax((1, 2, 3), keepdim=True).float()
    added = 255 * density * fractal[:, None, :height, :width]
    return truncated((images + added) * (brightest / (brightest + 255 * density)))


def plasma(draws: Draws, size: int, decay: float) -> Tensor:
    """Diamond-square heights from 0 to 1, periodic.

    The reference has maps of 32 for images of 32 pixels and of 256 for those of 224; here the side
    is the next power of two, which is the same there and goes on to other sizes. As in the
    reference, the range of the noise shrinks by the square of `decay`, because its width is
    multiplied by itself, and heights are scaled before an image takes its part.

    Args:
        draws: Where each place's number comes from, whatever the order of filling.
        size: Side, a power of two.
        decay: Of the noise with every halving of the step.

    Returns:
        `(B, size, size)` float32.
    """
    noise = (draws.levels(0, size, size).float() + 0.5) * (2 / LEVELS) - 1
    heights = torch.zeros_like(noise)
    step, roughness = size, 100.0
    while step >= 2:
        half, wave = step // 2, roughness**2
        corners = heights[:, ::step, ::step]
        centres = slice(half, None, step)
        across = corners + corners.roll(-1, 1)
        heights[:, centres, centres] = (across + across.roll(-1, 2)) / 4 + (
            wave * noise[:, centres, centres]
        )
        middle = heights[:, centres, centres]
        above = middle + middle.roll(1, 1) + corners + corners.roll(-1, 2)
        heights[:, ::step, centres] = above / 4 + wave * noise[:, ::step, centres]
        beside = middle + middle.roll(1, 2) + corners + corners.roll(-1, 1)
        heights[:, centres, ::step] = beside / 4 + wave * noise[:, centres, ::step]
        step, roughness = half, roughness / decay
    heights -= heights.amin((1, 2), keepdim=True)
    return heights / heights.amax((1, 2), keepdim=True)
