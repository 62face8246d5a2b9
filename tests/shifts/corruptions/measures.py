"""What corrupted images are compared by."""

import numpy as np
from numpy.typing import NDArray

# Of an image that stays as it is; else its peak signal-to-noise ratio would be infinite.
HIGHEST = 60.0


def psnrs(originals: NDArray[np.uint8], corrupted: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Peak signal-to-noise ratio of each image in decibels, at most 60: `(n,)`."""
    difference = corrupted.astype(np.float32) - originals
    errors = np.square(difference).mean((1, 2, 3), dtype=np.float64)
    return 10 * np.log10(255**2 / np.maximum(errors, 255**2 / 10 ** (HIGHEST / 10)))


def statistics(originals: NDArray[np.uint8], corrupted: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of each image the channels' means and standard deviations, and the PSNR: `(n, 7)`."""
    means, deviations = corrupted.mean((2, 3)), corrupted.std((2, 3))
    return np.column_stack([means, deviations, psnrs(originals, corrupted)])


def spread_of_means(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviation over seeds of means over images.

    Args:
        found: `(draws, ..., n, k)`, each draw with other random numbers.

    Returns:
        `(..., k)`; not a number where there is but one draw.
    """
    if len(found) == 1:
        return np.full((*found.shape[1:-2], found.shape[-1]), np.nan)
    within = found.var(0, ddof=1).mean(-2)
    spread: NDArray[np.float64] = np.sqrt(within / found.shape[-2])
    return spread
