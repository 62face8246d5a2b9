"""Noise in every pixel: Gaussian, shot, impulse and speckle."""

from functools import lru_cache

import numpy as np
import torch
from scipy.special import pdtr
from torch import Tensor

from robust_tuning.shifts.corruptions.draws import LEVELS, Draws
from robust_tuning.shifts.corruptions.levels import truncated


def gaussian_noise(images: Tensor, draws: Draws, sigma: float) -> Tensor:
    """Add normal noise of standard deviation `sigma`, in units of the whole range."""
    noise = draws.normal(0, *images.shape[1:])
    return truncated(noise.mul_(255 * sigma).add_(images))


def speckle_noise(images: Tensor, draws: Draws, sigma: float) -> Tensor:
    """Add normal noise of standard deviation `sigma` times the pixel."""
    noise = draws.normal(0, *images.shape[1:])
    return truncated(noise.mul_(sigma).add_(1).mul_(images))


def shot_noise(images: Tensor, draws: Draws, photons: float) -> Tensor:
    """Count photons: a Poisson number of them for each pixel, `photons` for a white one.

    Counts are quantiles of the Poisson distribution at 65,536 midpoints, looked up for each of the
    256 grey levels; what such a grid leaves out of the tails is below 10^-5 of the cases.
    """
    table = _shot_levels(photons, images.device)
    places = (images.int() << 16) | draws.levels(0, *images.shape[1:])
    return table.index_select(0, places.flatten()).reshape(images.shape)


def impulse_noise(images: Tensor, draws: Draws, amount: float) -> Tensor:
    """Set an `amount` of all values to 0 or 255, half of them each; channels one by one.

    As scikit-image's `random_noise(mode="s&p")`, which has a generator of its own that seeding
    NumPy leaves random; here everything comes from the example's key.
    """
    chances = draws.levels(0, *images.shape[1:])
    threshold = round(amount * LEVELS)
    noisy = torch.where(chances < threshold, 255, images)
    return torch.where(chances < threshold // 2, 0, noisy)


# A table of 16 MB for each severity: they are evaluated by turns.
@lru_cache(maxsize=5)
def _shot_levels(photons: float, device: torch.device) -> Tensor:
    """Grey level for each grey level and number of 16 bits, `(256 * 65536,)` uint8."""
    means = np.arange(256)[:, None] / 255 * photons
    counts = np.arange(int(photons + 10 * photons**0.5) + 10)
    # How many midpoints lie below the chance of at most so many photons.
    below = np.ceil(pdtr(counts, means) * LEVELS - 0.5).astype(np.int64)
    below[:, -1] = LEVELS
    levels = truncated(torch.from_numpy(counts / photons * 255)).numpy()
    times = np.diff(below, prepend=0, axis=1)
    return torch.from_numpy(np.repeat(np.tile(levels, 256), times.ravel())).to(device)
