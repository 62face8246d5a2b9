"""Linear filters whose sums are exact, and so do not depend on the batch or the device.

A matrix product or a Fourier transform adds up in an order that libraries choose by the shape of
the whole batch. With weights that are multiples of 2^-17, all terms of the sums below fit into the
53 bits of float64, and every order gives the same result.
"""

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  the field's name for it
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

STEPS = 2.0**17


def gaussian(
    images: Tensor,
    sigma: float,
    mode: Literal["nearest", "reflect"] = "nearest",
    truncate: float = 4.0,
) -> Tensor:
    """Blur as `scipy.ndimage.gaussian_filter` does, which is behind scikit-image's `gaussian`.

    Args:
        images: `(..., H, W)` multiples of 2^-14 below 2^8, or of 2^-16 below 1.
        sigma: Standard deviation in pixels, not negative.
        mode: What lies beyond the border.
        truncate: Where the kernel ends, in standard deviations.

    Returns:
        `(..., H, W)` float64.
    """
    height, width = images.shape[-2:]
    rows = gaussian_matrix(height, sigma, mode, truncate, images.device)
    columns = gaussian_matrix(width, sigma, mode, truncate, images.device)
    return rows @ images.double() @ columns.T


@lru_cache(maxsize=32)
def gaussian_matrix(
    size: int, sigma: float, mode: str, truncate: float, device: torch.device
) -> Tensor:
    """What a Gaussian blur does to a line of pixels, borders included: `(size, size)` float64."""
    weights = np.eye(size)
    if sigma > 0:
        weights = ndimage.gaussian_filter1d(weights, sigma, axis=0, mode=mode, truncate=truncate)
    return torch.from_numpy(_in_steps(weights)).to(device)


def convolve(images: Tensor, kernel: NDArray[np.float64]) -> Tensor:
    """Correlate with a kernel, reflecting at the middle of the border's pixels, as OpenCV does.

    Args:
        images: `(B, C, H, W)` of whole numbers from 0 to 255, larger than half the kernel.
        kernel: `(k, k)`, `k` odd, of non-negative weights that sum to 1 or little more.

    Returns:
        `(B, C, H, W)` float64, multiples of 2^-17.
    """
    half = len(kernel) // 2
    padded = F.pad(images.double(), (half,) * 4, mode="reflect")
    steps = torch.from_numpy(_in_steps(kernel.reshape(1, -1)).reshape(kernel.shape))
    # Fast lengths of the transform; what wraps around falls into the padding that is cut off.
    size = [_fast_length(length) for length in padded.shape[-2:]]
    transfer = torch.fft.rfft2(steps.to(images.device), s=size).conj()
    sums = torch.fft.irfft2(torch.fft.rfft2(padded, s=size) * transfer, s=size)
    valid = sums[..., : images.shape[-2], : images.shape[-1]]
    return torch.round(valid * STEPS) / STEPS


def _fast_length(length: int) -> int:
    """The next length that has only the factors 2, 3 and 5."""
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1


def _in_steps(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round rows to multiples of 2^-17; the largest weight takes what the sum would lose."""
    steps = np.round(weights * STEPS)
    lost = np.round(weights.sum(axis=1) * STEPS) - steps.sum(axis=1)
    steps[np.arange(len(steps)), steps.argmax(axis=1)] += lost
    return steps / STEPS
