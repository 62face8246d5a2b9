"""`imagecorruptions`, the library whose corruptions ours are held against, made to run.

    pip install imagecorruptions==1.1.2 "setuptools<81"

It was written for older versions of NumPy and scikit-image: two names are put back here, and
`pkg_resources`, which it reads its files with, has left setuptools 81.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Corrupt = Callable[[NDArray[np.uint8], str, int], NDArray[np.uint8]]


@cache
def library() -> Corrupt:
    """Its function on an image `(3, H, W)`, a name and a severity.

    Raises:
        ModuleNotFoundError: If it is not installed, or setuptools is too new for it.
    """
    np.float_ = np.float64  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import cv2
            from imagecorruptions import corrupt, corruptions
            from skimage.filters import gaussian
        except ModuleNotFoundError as error:
            message = f"{error}: pip install imagecorruptions==1.1.2 'setuptools<81'"
            raise ModuleNotFoundError(message) from error
    cv2.setNumThreads(1)

    def with_channels(image: Any, sigma: Any, multichannel: bool = False, **others: Any) -> Any:
        return gaussian(image, sigma=sigma, channel_axis=-1 if multichannel else None, **others)

    corruptions.gaussian = with_channels

    def corrupted(image: NDArray[np.uint8], name: str, severity: int) -> NDArray[np.uint8]:
        pixels = np.ascontiguousarray(image.transpose(1, 2, 0))
        changed: NDArray[np.uint8] = corrupt(pixels, severity=severity, corruption_name=name)
        return changed.transpose(2, 0, 1)

    return corrupted


def published_elastic(image: NDArray[np.uint8], severity: int) -> NDArray[np.uint8]:
    """The elastic transform of ImageNet-C on `(3, side, side)`: the library has another one.

    Three points move, and the image with them by an affine map; then every pixel moves. Lengths are
    those of ImageNet-C's table times 244, and the random numbers NumPy's global ones.
    """
    import cv2
    from scipy import ndimage

    heights, sigmas, reaches = (2, 2, 0.05, 0.07, 0.12), (0.7, 0.08, *[0.01] * 3), (0.1, 0.2)
    height, sigma = 244 * heights[severity - 1], 244 * sigmas[severity - 1]
    reach = 244 * (*reaches, *[0.02] * 3)[severity - 1]
    side = image.shape[1]
    centre, third = side // 2, side // 3
    points = np.float32([[third, third], [third, -third], [-third, -third]]) + centre
    moved = (points + np.random.uniform(-reach, reach, points.shape)).astype(np.float32)
    turned = cv2.warpAffine(
        np.ascontiguousarray(image.transpose(1, 2, 0), np.float32) / 255,
        cv2.getAffineTransform(points, moved),
        (side, side),
        borderMode=cv2.BORDER_REFLECT_101,
    )
    across, down = (
        height
        * ndimage.gaussian_filter(
            np.random.uniform(-1, 1, (side, side)), sigma, mode="reflect", truncate=3
        )
        for _ in range(2)
    )
    rows, columns = np.mgrid[:side, :side]
    places = [rows + down, columns + across]
    channels = [
        ndimage.map_coordinates(channel, places, order=1, mode="reflect")
        for channel in turned.transpose(2, 0, 1)
    ]
    return np.uint8(np.clip(channels, 0, 1) * 255)
