"""How drops of water catch the light."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from robust_tuning.shifts.corruptions.levels import ROUNDING

_LIGHT = np.array([[-2.0, -1, 0], [-1, 1, 1], [0, 1, 2]])


def relief(drops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn drops into weights that look as if lit from one side.

    The steps are those of the reference implementation, which are OpenCV's: edges (Canny, 50 and
    150), the distance to them up to 20 pixels, smoothed, equalised, lit, smoothed, times the drops.
    Distances are Euclidean, where OpenCV comes near them by a mask of 5 x 5. An image without drops
    has weights of 0, where the reference divides by 0.

    Args:
        drops: `(H, W)`, 0 where there is none.

    Returns:
        `(H, W)` float32 in [0, 1], the greatest 1.
    """
    border = edges(drops, 50, 150)
    if not border.any():
        return np.zeros(drops.shape, np.float32)
    distance = np.minimum(ndimage.distance_transform_edt(~border), 20)
    smooth = np.floor(_smooth(distance) + ROUNDING).astype(np.uint8)
    spread = equalised(smooth).astype(np.float64)
    lit = _in_bytes(ndimage.correlate(spread, _LIGHT, mode="mirror")).astype(np.float64)
    weights = drops * _in_bytes(_smooth(lit)).astype(np.float32)
    shares: NDArray[np.float32] = (weights / max(weights.max(), 1)).astype(np.float32)
    return shares


def edges(image: NDArray[np.uint8], low: float, high: float) -> NDArray[np.bool_]:
    """Canny's edges, with the sum of both gradients' sizes as the strength.

    Source: J. Canny, "A computational approach to edge detection", PAMI 1986; Sobel gradients, the
    border repeated.
    """
    pixels = image.astype(np.float64)
    down, right = (ndimage.sobel(pixels, axis=axis, mode="nearest") for axis in (0, 1))
    strength = np.abs(down) + np.abs(right)
    padded = np.pad(strength, 1)
    height, width = image.shape

    def neighbour(below: int, beside: int) -> NDArray[np.float64]:
        return padded[1 + below : 1 + below + height, 1 + beside : 1 + beside + width]

    # Within 22.5 degrees of an axis the gradient is along it.
    flat = np.abs(down) < np.tan(np.pi / 8) * np.abs(right)
    steep = np.abs(down) > np.tan(3 * np.pi / 8) * np.abs(right)
    falling = ~flat & ~steep & (down * right > 0)
    rising = ~flat & ~steep & ~falling
    ridge = np.zeros(image.shape, dtype=np.bool_)
    for where, (below, beside) in (
        (flat, (0, 1)),
        (steep, (1, 0)),
        (falling, (1, 1)),
        (rising, (-1, 1)),
    ):
        before, after = neighbour(-below, -beside), neighbour(below, beside)
        ridge |= where & (strength > before) & (strength >= after)
    labels, _ = ndimage.label(ridge & (strength > low), structure=np.ones((3, 3)))
    strong = np.unique(labels[ridge & (strength > high)])
    return np.isin(labels, strong[strong > 0])


def equalised(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Spread grey levels so that all are equally frequent, the lowest becoming 0."""
    counts = np.bincount(image.ravel(), minlength=256)
    first = int(image.min())
    others = image.size - counts[first]
    if others == 0:
        return image
    sums = np.cumsum(counts) - counts[first]
    return _in_bytes(sums * (255 / others))[image]


def _smooth(image: NDArray[np.float64]) -> NDArray[np.float64]:
    smooth: NDArray[np.float64] = ndimage.uniform_filter(image, 3, mode="mirror")
    return smooth


def _in_bytes(numbers: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(numbers), 0, 255).astype(np.uint8)
