"""Blur that is the same for every image: Gaussian, out of focus, zooming."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from robust_tuning.shifts.corruptions.draws import Draws
from robust_tuning.shifts.corruptions.filters import convolve, gaussian
from robust_tuning.shifts.corruptions.levels import truncated
from robust_tuning.shifts.corruptions.zoom import zoomed


def gaussian_blur(images: Tensor, _: Draws, sigma: float) -> Tensor:
    """Blur with a Gaussian of `sigma` pixels that ends at 4 sigma, repeating the border."""
    return truncated(gaussian(images, sigma))


def defocus_blur(images: Tensor, _: Draws, parameters: tuple[float, float]) -> Tensor:
    """Blur with a disk.

    Args:
        images: `(B, 3, H, W)` uint8.
        parameters: Radius of the disk, and sigma of the Gaussian that softens its edge, in pixels.
    """
    return truncated(convolve(images, disk(*parameters)))


def zoom_blur(images: Tensor, _: Draws, parameters: tuple[float, float]) -> Tensor:
    """Average the image with enlargements of its centre.

    Args:
        images: `(B, 3, H, W)` uint8.
        parameters: Where the factors end and their step. They are those of `numpy.arange(1, stop,
            step)`, which by its rounding takes in the end in some cases: 1.11 in steps of 0.01.
    """
    factors = np.arange(1, *parameters)
    original = images.float()
    total = original.clone()
    for factor in factors:
        total += zoomed(original, float(factor))
    return truncated(total / (len(factors) + 1))


@lru_cache(maxsize=16)
def disk(radius: float, sigma: float) -> NDArray[np.float64]:
    """The kernel of `defocus_blur`, a square array of odd side.

    The Gaussian has 3 taps (5 for a radius above 8) and is reflected at the middle of the array's
    border, where OpenCV's `GaussianBlur` reflects it. A disk that touches the border (ImageNet-C's
    severities 4 and 5) so gains weight, and the image about a hundredth of brightness; the
    published benchmark has it too.
    """
    half, taps = (8, 3) if radius <= 8 else (int(radius), 5)
    places = np.arange(-half, half + 1)
    inside = (places[:, None] ** 2 + places**2 <= radius**2).astype(np.float64)
    offsets = np.arange(taps) - taps // 2
    softening = np.exp(-(offsets**2) / (2 * sigma**2))
    kernel: NDArray[np.float64] = inside / inside.sum()
    for axis in (0, 1):
        kernel = ndimage.correlate1d(kernel, softening / softening.sum(), axis=axis, mode="mirror")
    return kernel
