"""Pictures with what photographs have: shades, edges, textures, dark and bright and grey parts."""

import numpy as np
from numpy.typing import NDArray


def pictures(n: int, height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """`(n, 3, height, width)`, other ones for another seed."""
    random = np.random.Generator(np.random.Philox(key=seed))
    made = np.empty((n, 3, height, width), np.uint8)
    rows, columns = np.mgrid[: 1 : 1j * height, : 1 : 1j * width]
    frequencies = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequencies[0, 0] = 1
    for picture in made:
        slope = random.normal(0, 60, (3, 2, 1, 1))
        scene = random.uniform(70, 180, (3, 1, 1)) + slope[:, 0] * rows + slope[:, 1] * columns
        for _ in range(5):
            (top, left), radius = random.uniform(0, 1, 2), random.uniform(0.1, 0.3)
            inside = (rows - top) ** 2 + (columns - left) ** 2 < radius**2
            colour = random.uniform(0, 255, (3, 1))
            scene[:, inside] = 0.2 * scene[:, inside] + 0.8 * colour
        noise = np.fft.rfft2(random.standard_normal((height, width))) / frequencies
        noise[0, 0] = 0
        texture = np.fft.irfft2(noise, s=(height, width))
        scene += 22 * texture / texture.std() + random.normal(0, 2, scene.shape)
        picture[:] = np.clip(scene, 0, 255)
        picture[:, : height // 8, : width // 4] = random.integers(0, 256)
    return made


def psnr(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Mean over pictures of the peak signal-to-noise ratio in decibels."""
    errors = (one.astype(np.float64) - other) ** 2
    return float((10 * np.log10(255**2 / errors.mean((1, 2, 3)))).mean())
