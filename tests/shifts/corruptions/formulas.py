"""CIFAR-C once more, one image at a time: what has a formula, straight from its definition.

The parameters are written down a second time, from `make_cifar_c.py`; nothing here is shared with
the package. Images are `(3, H, W)` uint8, results float64 grey levels that are not yet cut.
"""

import colorsys
import io
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Pixels = NDArray[np.uint8]
Levels = NDArray[np.float64]

PARAMETERS: dict[str, tuple] = {
    "gaussian_noise": (0.04, 0.06, 0.08, 0.09, 0.10),
    "shot_noise": (500, 250, 100, 75, 50),
    "impulse_noise": (0.01, 0.02, 0.03, 0.05, 0.07),
    "defocus_blur": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    "glass_blur": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    "motion_blur": ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    "zoom_blur": ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    "snow": (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ),
    "frost": ((1, 0.2, 5), (1, 0.3, 5), (0.9, 0.4, 5), (0.85, 0.4, 5), (0.75, 0.45, 5)),
    "fog": ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    "brightness": (0.05, 0.1, 0.15, 0.2, 0.3),
    "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),
    "elastic_transform": (
        (0, 0, 2.56),
        (1.6, 6.4, 2.24),
        (2.56, 1.92, 1.92),
        (3.2, 1.28, 1.6),
        (3.2, 0.96, 0.96),
    ),
    "pixelate": (0.95, 0.9, 0.85, 0.75, 0.65),
    "jpeg_compression": (80, 65, 58, 50, 40),
    "speckle_noise": (0.06, 0.1, 0.12, 0.16, 0.2),
    "gaussian_blur": (0.4, 0.6, 0.7, 0.8, 1),
    "spatter": (
        (0.62, 0.1, 0.7, 0.7, 0.5, 0),
        (0.65, 0.1, 0.8, 0.7, 0.5, 0),
        (0.65, 0.3, 1, 0.69, 0.5, 0),
        (0.65, 0.1, 0.7, 0.69, 0.6, 1),
        (0.65, 0.1, 0.5, 0.68, 0.6, 1),
    ),
    "saturate": ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
}


def defocus_blur(image: Pixels, radius: float, softness: float) -> Levels:
    kernel = np.zeros((17, 17))
    for row, column in np.ndindex(kernel.shape):
        kernel[row, column] = math.hypot(row - 8, column - 8) <= radius
    taps = np.array([math.exp(-(step**2) / (2 * softness**2)) for step in (-1, 0, 1)])
    kernel = ndimage.convolve(
        kernel / kernel.sum(), np.outer(taps, taps) / taps.sum() ** 2, mode="mirror"
    )
    return ndimage.convolve(image.astype(float), kernel[None], mode="mirror")


def gaussian_blur(image: Pixels, sigma: float) -> Levels:
    return ndimage.gaussian_filter(image.astype(float), (0, sigma, sigma), mode="nearest")


def zoom_blur(image: Pixels, stop: float, step: float) -> Levels:
    layers = [image.astype(float)]
    side = image.shape[1]
    for factor in np.arange(1, stop, step):
        crop = math.ceil(side / factor)
        start = (side - crop) // 2
        part = image[:, start : start + crop, start : start + crop].astype(float)
        large = ndimage.zoom(part, (1, factor, factor), order=1)
        trim = (large.shape[1] - side) // 2
        layers.append(large[:, trim : trim + side, trim : trim + side])
    return np.mean(layers, axis=0)


def _in_hsv(
    image: Pixels, change: Callable[[float, float, float], tuple[float, float, float]]
) -> Levels:
    pixels = image.reshape(3, -1).T / 255
    changed = [colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*pixel))) for pixel in pixels]
    return 255 * np.array(changed).T.reshape(image.shape)


def brightness(image: Pixels, increase: float) -> Levels:
    return _in_hsv(image, lambda hue, share, value: (hue, share, min(value + increase, 1)))


def saturate(image: Pixels, factor: float, offset: float) -> Levels:
    return _in_hsv(image, lambda hue, share, value: (hue, min(share * factor + offset, 1), value))


def contrast(image: Pixels, factor: float) -> Levels:
    means = image.mean((1, 2), keepdims=True)
    return means + factor * (image - means)


def pixelate(image: Pixels, scale: float) -> Levels:
    picture = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
    small = picture.resize([int(side * scale) for side in picture.size], Image.Resampling.BOX)
    large = small.resize(picture.size, Image.Resampling.BOX)
    return np.asarray(large, float).transpose(2, 0, 1)


def jpeg_compression(image: Pixels, quality: int) -> Levels:
    file = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
    picture.save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), float).transpose(2, 0, 1)


FIXED = {
    formula.__name__: formula
    for formula in (
        defocus_blur,
        gaussian_blur,
        zoom_blur,
        brightness,
        saturate,
        contrast,
        pixelate,
        jpeg_compression,
    )
}


def gaussian_noise(image: Pixels, random: np.random.Generator, sigma: float) -> Levels:
    return image + 255 * sigma * random.standard_normal(image.shape)


def speckle_noise(image: Pixels, random: np.random.Generator, sigma: float) -> Levels:
    return image + image * sigma * random.standard_normal(image.shape)


def shot_noise(image: Pixels, random: np.random.Generator, photons: float) -> Levels:
    return 255 * random.poisson(image / 255 * photons) / photons


def impulse_noise(image: Pixels, random: np.random.Generator, amount: float) -> Levels:
    hit = random.random(image.shape) < amount
    return np.where(hit, 255 * random.integers(0, 2, image.shape), image).astype(float)


def glass_blur(
    image: Pixels, random: np.random.Generator, sigma: float, reach: int, walks: int
) -> Levels:
    seen = np.floor(gaussian_blur(image, sigma) + 1e-6)
    side = image.shape[1]
    for _ in range(walks):
        for row in range(side - reach, reach, -1):
            for column in range(side - reach, reach, -1):
                right, down = random.integers(-reach, reach, 2)
                seen[:, row, column] = seen[:, row + down, column + right]
    return ndimage.gaussian_filter(seen, (0, sigma, sigma), mode="nearest")


def motion_blur(image: Pixels, random: np.random.Generator, radius: int, sigma: float) -> Levels:
    angle = math.radians(random.uniform(-45, 45))
    weights = [math.exp(-(step**2) / (2 * sigma**2)) for step in range(2 * radius + 1)]
    rows, columns = np.indices(image.shape[1:])
    total = np.zeros(image.shape)
    for step, weight in enumerate(weights):
        down = math.ceil(step * math.sin(angle) - 0.5)
        right = math.ceil(step * math.cos(angle) - 0.5)
        bottom, end = image.shape[1] - 1, image.shape[2] - 1
        places = (rows + down).clip(0, bottom), (columns + right).clip(0, end)
        total += weight / sum(weights) * image[:, *places]
    # Rounded, not cut.
    return np.round(total)


def elastic_transform(
    image: Pixels, random: np.random.Generator, height: float, sigma: float, reach: float
) -> Levels:
    side = image.shape[1]
    third = side // 3
    points = side // 2 + np.array([[third, third], [third, -third], [-third, -third]])
    moved = points + random.uniform(-reach, reach, (3, 2))
    back = np.linalg.solve(np.column_stack([moved, np.ones(3)]), points)
    rows, columns = np.mgrid[:side, :side].astype(float)
    sources = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ back
    turned = _sampled(image.astype(float), sources[..., 1], sources[..., 0], "mirror")
    across, down = (
        height
        * ndimage.gaussian_filter(
            random.uniform(-1, 1, (side, side)), sigma, mode="reflect", truncate=3
        )
        for _ in range(2)
    )
    return _sampled(turned, rows + down, columns + across, "reflect")


def _sampled(image: Levels, rows: Levels, columns: Levels, mode: str) -> Levels:
    return np.stack(
        [ndimage.map_coordinates(channel, [rows, columns], order=1, mode=mode) for channel in image]
    )


RANDOM = {
    formula.__name__: formula
    for formula in (
        gaussian_noise,
        speckle_noise,
        shot_noise,
        impulse_noise,
        glass_blur,
        motion_blur,
        elastic_transform,
    )
}


def corrupted(image: Pixels, name: str, severity: int, random: np.random.Generator) -> Levels:
    """One of `FIXED` or `RANDOM`."""
    chosen = PARAMETERS[name][severity - 1]
    parameters = chosen if isinstance(chosen, tuple) else (chosen,)
    if name in FIXED:
        return FIXED[name](image, *parameters)
    return RANDOM[name](image, random, *parameters)


def cut(levels: Levels) -> Pixels:
    """To whole levels, as `numpy.uint8` does."""
    return np.clip(levels, 0, 255).astype(np.uint8)
