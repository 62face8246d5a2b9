import colorsys

import numpy as np
import pytest
import torch

from robust_tuning.shifts.corruptions.colour import brightness, contrast, saturate
from robust_tuning.shifts.corruptions.draws import Draws
from tests.shifts.corruptions.pictures import pictures

IMAGES = pictures(2, 24, 30)
IMAGES[0, :, 10:12, 0] = [[0, 0], [0, 0], [0, 0]]
TENSOR = torch.from_numpy(IMAGES)
NONE = Draws(torch.zeros(2, dtype=torch.int64), 0)


def in_hsv(change: tuple[float, float, float]) -> np.ndarray:
    """Through Python's own HSV: `value + v`, `saturation * factor + offset`, 0 to 255."""
    v, factor, offset = change
    out = np.empty(IMAGES.shape)
    for image, row, column in np.ndindex(2, 24, 30):
        h, s, value = colorsys.rgb_to_hsv(*(IMAGES[image, :, row, column] / 255))
        changed = colorsys.hsv_to_rgb(h, min(s * factor + offset, 1), min(value + v, 1))
        out[image, :, row, column] = [255 * part for part in changed]
    return out


@pytest.mark.parametrize("increase", [0.05, 0.2, 0.5])
def test_brightness_adds_to_the_value(increase: float) -> None:
    ours = brightness(TENSOR, NONE, increase).numpy()
    assert np.array_equal(ours, np.floor(in_hsv((increase, 1, 0)) + 2**-10))


@pytest.mark.parametrize(("factor", "offset"), [(0.1, 0.0), (2.0, 0.1), (20.0, 0.2)])
def test_saturate_changes_the_saturation(factor: float, offset: float) -> None:
    ours = saturate(TENSOR, NONE, (factor, offset)).numpy()
    # Black has no saturation and stays black either way.
    assert np.array_equal(ours, np.floor(in_hsv((0, factor, offset)) + 2**-10))


@pytest.mark.parametrize("factor", [0.75, 0.05])
def test_contrast_shrinks_the_distance_to_each_channels_mean(factor: float) -> None:
    means = IMAGES.mean((2, 3), keepdims=True)
    expected = np.floor((IMAGES - means) * factor + means + 2**-10)
    assert np.array_equal(contrast(TENSOR, NONE, factor).numpy(), expected)
