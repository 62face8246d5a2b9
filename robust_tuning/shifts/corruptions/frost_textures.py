"""Textures of ice crystals, made from noise."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SIDE = 640
_NEEDLES = 6000
_STEPS = np.arange(40)


class Ice(NamedTuple):
    """What a texture has in common with one of the photographs of ImageNet-C.

    Attributes:
        means: Of red, green and blue, in grey levels.
        deviations: Their standard deviations.
        grain: Which share of each channel's deviation is common to all channels; what remains is of
            slow changes of colour, with this sign.
    """

    means: tuple[float, float, float]
    deviations: tuple[float, float, float]
    grain: tuple[float, float, float]


# Measured on frost1.png to frost5.jpg; the second and the third are the same photograph.
TEXTURES = (
    Ice((77.7, 149.1, 165.7), (26.9, 16.5, 15.3), (0.82, 1, -0.93)),
    Ice((200.8, 205.4, 214.5), (21.4, 22.1, 22.6), (1, 1, 1)),
    Ice((200.8, 205.4, 214.5), (21.4, 22.1, 22.6), (1, 1, 1)),
    Ice((137.6, 152.8, 165.2), (28.5, 28.5, 29.9), (1, 1, 1)),
    Ice((112.4, 123.4, 134.8), (44.4, 43.3, 41.7), (1, 1, 1)),
)


@lru_cache(maxsize=len(TEXTURES))
def texture(number: int) -> NDArray[np.uint8]:
    """One of the five textures.

    Clouds with a power spectrum of `1 / f^2.6`, as steep as the photographs' at low frequencies,
    with fine needles of ice laid over them in feathers; scaled to each channel's mean and standard
    deviation in one of the photographs. What the photographs show beyond that is not imitated.

    Returns:
        `(3, 640, 640)` uint8, periodic along both sides.
    """
    ice = TEXTURES[number]
    random = np.random.Generator(np.random.Philox(key=number))
    structure = _standard(_clouds(random, 2.6) + 0.9 * _needles(random))
    colour = _standard(_clouds(random, 4.0))
    channels = np.empty((3, SIDE, SIDE), np.uint8)
    for channel, mean, deviation, grain in zip(channels, *ice, strict=True):
        mixed = abs(grain) * structure + np.sign(grain) * np.sqrt(1 - grain**2) * colour
        channel[:] = _fitted(mixed, mean, deviation)
    return channels


def _fitted(numbers: NDArray[np.float64], mean: float, deviation: float) -> NDArray[np.float64]:
    """Scale numbers to grey levels that have a mean and a deviation after they are cut off."""
    centre, scale = mean, deviation
    for _ in range(10):
        levels = np.clip(centre + scale * numbers, 0, 255)
        centre += mean - levels.mean()
        scale *= deviation / levels.std()
    return np.round(levels)


def _clouds(random: np.random.Generator, slope: float) -> NDArray[np.float64]:
    """Gaussian noise of mean 0 and deviation 1 whose power falls with frequency by `slope`."""
    frequencies = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE))
    frequencies[0, 0] = np.inf
    # No wave longer than a third of the side: a part of a texture is much like another.
    amplitudes = np.maximum(frequencies, 3 / SIDE) ** (-slope / 2)
    amplitudes[0, 0] = 0
    noise = np.fft.rfft2(random.standard_normal((SIDE, SIDE)))
    return _standard(np.fft.irfft2(noise * amplitudes, s=(SIDE, SIDE)))


def _needles(random: np.random.Generator) -> NDArray[np.float64]:
    """Bright lines, those near each other in nearly the same direction."""
    starts = random.uniform(0, SIDE, (_NEEDLES, 2))
    directions = np.pi * _clouds(random, 3.5)
    rows, columns = starts.astype(np.int64).T
    angles = directions[rows, columns] + random.normal(0, 0.25, _NEEDLES)
    steps = _STEPS * random.uniform(0.2, 1, (_NEEDLES, 1))
    along = (
        starts[:, :, None]
        + steps[:, None] * np.stack([np.sin(angles), np.cos(angles)], 1)[:, :, None]
    )
    heights = random.exponential(1, (_NEEDLES, 1)) * (1 - _STEPS / len(_STEPS))
    drawn = np.zeros((SIDE, SIDE))
    rows, columns = (along.astype(np.int64) % SIDE).transpose(1, 0, 2)
    np.maximum.at(drawn, (rows, columns), heights)
    return _standard(drawn)


def _standard(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    standard: NDArray[np.float64] = (numbers - numbers.mean()) / numbers.std()
    return standard
