"""Linear filters whose sums are exact, and so do not depend on the batch or the device.

A matrix product or a Fourier transform adds up in an order that libraries choose by the shape of
the whole batch. With weights that are multiples of 2^-17, all terms of the sums below fit into the
53 bits of float64, and every order gives the same result.
"""

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  the field's name for it
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

STEPS = 2.0**17
# Lines of a block of a blur's matrix: few enough to leave out most of the zeros beside its band.
_BLOCK = 32


class Block(NamedTuple):
    """Some rows of a blur's matrix, and those of its columns that are not all zero there.

    Attributes:
        to: Which pixels of a line they make.
        of: Which pixels they are made of.
        weights: `(len(to), len(of))` float64.
    """

    to: slice
    of: slice
    weights: Tensor


def gaussian(
    images: Tensor,
    sigma: float,
    mode: Literal["nearest", "reflect"] = "nearest",
    truncate: float = 4.0,
) -> Tensor:
    """Blur as `scipy.ndimage.gaussian_filter` does, which is behind scikit-image's `gaussian`.

    Args:
        images: `(..., H, W)` whole numbers below 2^8, multiples of 2^-14 below 2^4, or of 2^-16
            below 1.
        sigma: Standard deviation in pixels, not negative.
        mode: What lies beyond the border.
        truncate: Where the kernel ends, in standard deviations.

    Returns:
        `(..., H, W)` float64.
    """
    height, width = images.shape[-2:]
    sharp = images.double().reshape(-1, height, width)
    blocks = gaussian_blocks(width, sigma, mode, truncate, images.device)
    sharp = _joined([sharp[:, :, block.of] @ block.weights.T for block in blocks], 2)
    blocks = gaussian_blocks(height, sigma, mode, truncate, images.device)
    return _joined([block.weights @ sharp[:, block.of] for block in blocks], 1).reshape(
        images.shape
    )


def _joined(parts: list[Tensor], axis: int) -> Tensor:
    """Concatenate, without a copy where there is one part."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, axis)


@lru_cache(maxsize=32)
def gaussian_blocks(
    size: int, sigma: float, mode: str, truncate: float, device: torch.device
) -> tuple[Block, ...]:
    """What a Gaussian blur does to a line of pixels, borders included."""
    weights = np.eye(size)
    if sigma > 0:
        weights = ndimage.gaussian_filter1d(weights, sigma, axis=0, mode=mode, truncate=truncate)
    weights = _in_steps(weights)
    blocks = []
    for start in range(0, size, _BLOCK):
        rows = weights[start : start + _BLOCK]
        used = np.flatnonzero(rows.any(axis=0))
        to, of = slice(start, start + len(rows)), slice(used[0], used[-1] + 1)
        blocks.append(Block(to, of, torch.from_numpy(rows[:, of].copy()).to(device)))
    return tuple(blocks)


def convolve(images: Tensor, kernel: NDArray[np.float64]) -> Tensor:
    """Correlate with a kernel, reflecting at the middle of the border's pixels, as OpenCV does.

    Args:
        images: `(B, C, H, W)` of whole numbers from 0 to 255, larger than half the kernel.
        kernel: `(k, k)`, `k` odd, of non-negative weights that sum to 1 or little more.

    Returns:
        `(B, C, H, W)` float64, multiples of 2^-17.
    """
    height, width = images.shape[-2:]
    half = len(kernel) // 2
    padded = F.pad(images.double(), (half,) * 4, mode="reflect")
    # Fast lengths of the transform; what wraps around falls into the padding that is cut off.
    size = (_fast_length(height + 2 * half), _fast_length(width + 2 * half))
    transfer = _transfer(kernel.tobytes(), len(kernel), size, images.device)
    sums: Tensor = torch.fft.irfft2(torch.fft.rfft2(padded, s=size).mul_(transfer), s=size)
    return sums[..., :height, :width].round_().div_(STEPS)


@lru_cache(maxsize=16)
def _transfer(kernel: bytes, side: int, size: tuple[int, int], device: torch.device) -> Tensor:
    """By what the spectrum of an image is multiplied, for a result in steps of 2^-17."""
    steps = STEPS * _in_steps(np.frombuffer(kernel).reshape(1, -1)).reshape(side, side)
    spectrum: Tensor = torch.fft.rfft2(torch.from_numpy(steps).to(device), s=size)
    return spectrum.conj().resolve_conj()


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
