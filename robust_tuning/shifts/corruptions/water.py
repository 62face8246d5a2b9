"""How drops of water catch the light."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from robust_tuning.shifts.corruptions.levels import ROUNDING

_LIGHT = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], np.int16)
_BOX = np.ones((3, 3), np.int16)
# Within an image of a batch, diagonals included.
_TOUCHING = np.zeros((3, 3, 3), dtype=np.bool_)
_TOUCHING[1] = True


def relief(drops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn drops into weights that look as if lit from one side.

    The steps are those of the reference implementation, which are OpenCV's: edges (Canny, 50 and
    150), the distance to them up to 20 pixels, smoothed, equalised, lit, smoothed, times the drops.
    Distances are Euclidean, where OpenCV comes near them by a mask of 5 x 5. An image without drops
    has weights of 0, where the reference divides by 0.

    Args:
        drops: `(B, H, W)`, 0 where there is none.

    Returns:
        `(B, H, W)` float32 in [0, 1], the greatest of each image 1.
    """
    border = edges(drops, 50, 150)
    if not border.any():
        return np.zeros(drops.shape, np.float32)
    smooth = ndimage.uniform_filter(distances(border, 20), (1, 3, 3), mode="mirror")
    spread = equalised(np.floor(smooth + ROUNDING).astype(np.uint8))
    lit = correlated(spread, _LIGHT).clip(0, 255).astype(np.uint8)
    # A ninth of nine levels, rounded.
    weights = drops * ((2 * correlated(lit, _BOX) + 9) // 18).astype(np.float32)
    weights[~border.any((1, 2))] = 0
    shares: NDArray[np.float32] = weights / np.maximum(weights.max((1, 2), keepdims=True), 1)
    return shares


def distances(border: NDArray[np.bool_], furthest: int) -> NDArray[np.float64]:
    """From each pixel of `(B, H, W)` to the nearest of a border, `furthest` where that is nearer.

    First in its column, taking over what a neighbour knows 1, 2, 4, ... pixels away; then the
    nearest of what the columns beside it know.
    """
    column = np.where(border, 0, furthest).astype(np.int16)
    for step in (1 << i for i in range(furthest.bit_length())):
        np.minimum(column[:, step:], column[:, :-step] + step, out=column[:, step:])
        np.minimum(column[:, :-step], column[:, step:] + step, out=column[:, :-step])
    squares = column**2
    nearest = squares.copy()
    for step in range(1, furthest):
        further = squares + np.int16(step**2)
        np.minimum(nearest[..., step:], further[..., :-step], out=nearest[..., step:])
        np.minimum(nearest[..., :-step], further[..., step:], out=nearest[..., :-step])
    found: NDArray[np.float64] = np.sqrt(np.arange(furthest**2 + 1))[nearest]
    return found


def edges(images: NDArray[np.uint8], low: float, high: float) -> NDArray[np.bool_]:
    """Canny's edges in `(B, H, W)`, with the sum of both gradients' sizes as the strength.

    Of two equal neighbours along an axis the first is an edge, of two on a diagonal neither, as in
    OpenCV; how drops are lit depends on it.

    Source: J. Canny, "A computational approach to edge detection", PAMI 1986; Sobel gradients, the
    border repeated.
    """
    height, width = images.shape[1:]
    pixels = np.pad(images, ((0, 0), (1, 1), (1, 1)), "edge").astype(np.int16)
    summed = pixels[:, :-2] + 2 * pixels[:, 1:-1] + pixels[:, 2:]
    right = summed[..., 2:] - summed[..., :-2]
    summed = pixels[..., :-2] + 2 * pixels[..., 1:-1] + pixels[..., 2:]
    down = summed[:, 2:] - summed[:, :-2]
    across, along = np.abs(down), np.abs(right)
    strength = across + along
    padded = np.pad(strength, ((0, 0), (1, 1), (1, 1)))

    def neighbour(below: int, beside: int) -> NDArray[np.int16]:
        return padded[:, 1 + below : 1 + below + height, 1 + beside : 1 + beside + width]

    # Within 22.5 degrees of an axis the gradient is along it.
    flat = across < np.float32(np.tan(np.pi / 8)) * along
    steep = across > np.float32(np.tan(3 * np.pi / 8)) * along
    falling = ~flat & ~steep & ((down > 0) == (right > 0))
    rising = ~flat & ~steep & ~falling
    ridge = np.zeros(images.shape, dtype=np.bool_)
    for where, (below, beside), ties in (
        (flat, (0, 1), True),
        (steep, (1, 0), True),
        (falling, (1, 1), False),
        (rising, (-1, 1), False),
    ):
        before, after = neighbour(-below, -beside), neighbour(below, beside)
        passed = strength >= after if ties else strength > after
        ridge |= where & (strength > before) & passed
    labels, n = ndimage.label(ridge & (strength > low), structure=_TOUCHING)
    strong = np.zeros(n + 1, dtype=np.bool_)
    strong[labels[ridge & (strength > high)]] = True
    found: NDArray[np.bool_] = strong[labels]
    return found


def equalised(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Spread the grey levels of `(B, H, W)` evenly; the lowest becomes 0."""
    n = len(images)
    places = np.arange(n)[:, None, None] * 256 + images
    counts = np.bincount(places.ravel(), minlength=n * 256).reshape(n, 256)
    lowest = counts[np.arange(n), (counts > 0).argmax(1)][:, None]
    others = images[0].size - lowest
    levels = np.rint((counts.cumsum(1) - lowest) * (255 / np.maximum(others, 1)))
    even = np.where(others > 0, levels, np.arange(256)).clip(0, 255).astype(np.uint8)
    spread: NDArray[np.uint8] = even.ravel()[places]
    return spread


def correlated(images: NDArray[np.uint8], kernel: NDArray[np.int16]) -> NDArray[np.int16]:
    """Sums of `(B, H, W)` under 3 x 3 weights, reflected at the middle of the border's pixels."""
    height, width = images.shape[1:]
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)), "reflect").astype(np.int16)
    sums = np.zeros(images.shape, np.int16)
    for (row, column), weight in np.ndenumerate(kernel):
        if weight:
            sums += weight * padded[:, row : row + height, column : column + width]
    return sums
