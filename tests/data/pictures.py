"""Pictures whose pixels are known."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def quarters(width: int = 32, height: int = 32) -> Image.Image:
    """Red and green above, blue and white below."""
    pixels = np.zeros((height, width, 3), np.uint8)
    top, left = slice(0, height // 2), slice(0, width // 2)
    bottom, right = slice(height // 2, None), slice(width // 2, None)
    pixels[top, left] = (255, 0, 0)
    pixels[top, right] = (0, 255, 0)
    pixels[bottom, left] = (0, 0, 255)
    pixels[bottom, right] = (255, 255, 255)
    return Image.fromarray(pixels)


def corners(pixels: NDArray[np.uint8]) -> list[list[int]]:
    near, far = len(pixels) // 4, 3 * len(pixels) // 4
    places = ((near, near), (near, far), (far, near), (far, far))
    return [pixels[place].tolist() for place in places]


UPRIGHT = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]
