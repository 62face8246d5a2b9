"""Seen through rough glass."""

import torch
from torch import Tensor

from robust_tuning.shifts.corruptions.draws import Draws
from robust_tuning.shifts.corruptions.filters import gaussian
from robust_tuning.shifts.corruptions.levels import truncated


def glass_blur(images: Tensor, draws: Draws, parameters: tuple[float, int, int]) -> Tensor:
    """Blur, replace pixels by neighbours, blur again.

    The reference walks from the lower right to the upper left and means to swap each pixel with a
    neighbour, at most `reach` to the left or above and less than that to the right or below; NumPy
    makes of its swap a copy of the neighbour, and copied is what is copied here. The outermost
    pixels stay. Between, the image is of whole grey levels.

    Args:
        images: `(B, 3, H, W)` uint8.
        draws: Where the neighbours come from.
        parameters: Sigma of the blur in pixels, `reach`, and how many walks.
    """
    sigma, reach, walks = parameters
    height, width = images.shape[-2:]
    blurred = truncated(gaussian(images, sigma)).flatten(2)
    for walk in range(walks):
        down, right = draws.below(walk, 2 * reach, 2, height, width).unbind(1)
        sources = walk_sources(down - reach, right - reach, reach)
        blurred = blurred.gather(2, sources[:, None].expand_as(blurred))
    return truncated(gaussian(blurred.reshape(images.shape), sigma))


def walk_sources(down: Tensor, right: Tensor, reach: int) -> Tensor:
    """Where each pixel comes from when all copies of one walk have been made in their order.

    A pixel takes what its neighbour holds at that moment: if the walk has passed the neighbour,
    what that one took before, and so on along a chain. All chains are followed at once, doubling
    the length of the step until each has ended (pointer jumping).

    Args:
        down: Rows from each pixel to its neighbour, `(B, H, W)` int64.
        right: Columns likewise.
        reach: How far from the border the walk begins and ends.

    Returns:
        `(B, H * W)` int64, places in the flattened image.
    """
    height, width = down.shape[1:]
    places = torch.arange(height * width, device=down.device).reshape(height, width)
    walked = torch.zeros_like(places, dtype=torch.bool)
    walked[reach + 1 : height - reach + 1, reach + 1 : width - reach + 1] = True
    sources = torch.where(walked, places + down * width + right, places).flatten(1)
    # The walk goes towards smaller places: it has passed what it will reach by a larger one.
    passed = walked.flatten()[sources] & (sources > places.flatten())
    while bool(passed.any()):
        further = passed.gather(1, sources) & passed
        sources = torch.where(passed, sources.gather(1, sources), sources)
        passed = further
    return sources
