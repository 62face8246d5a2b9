import io

import numpy as np
import pytest
import torch
from PIL import Image

from robust_tuning.shifts.corruptions.digital import jpeg_compression, pixelate
from robust_tuning.shifts.corruptions.draws import Draws
from tests.shifts.corruptions.pictures import pictures

IMAGES = pictures(2, 40, 56)
NONE = Draws(torch.zeros(2, dtype=torch.int64), 0)


def test_pixelate_by_a_half_is_the_mean_of_four_pixels() -> None:
    blocks = IMAGES.reshape(2, 3, 20, 2, 28, 2).astype(float)
    means = blocks.mean((3, 5)).repeat(2, 2).repeat(2, 3)
    # Pillow rounds after each of the two directions, halves upwards.
    assert np.abs(pixelate(torch.from_numpy(IMAGES), NONE, 0.5).numpy() - means).max() <= 1


def test_pixelate_is_pillows_box_filter_there_and_back() -> None:
    image = Image.fromarray(IMAGES[1].transpose(1, 2, 0))
    small = image.resize((int(56 * 0.65), int(40 * 0.65)), Image.Resampling.BOX)
    expected = np.asarray(small.resize((56, 40), Image.Resampling.BOX)).transpose(2, 0, 1)
    assert np.array_equal(pixelate(torch.from_numpy(IMAGES), NONE, 0.65)[1].numpy(), expected)


@pytest.mark.parametrize("quality", [7, 80])
def test_jpeg_is_pillows(quality: int) -> None:
    file = io.BytesIO()
    Image.fromarray(IMAGES[1].transpose(1, 2, 0)).save(file, "JPEG", quality=quality)
    expected = np.asarray(Image.open(file)).transpose(2, 0, 1)
    stored = jpeg_compression(torch.from_numpy(IMAGES), NONE, quality)
    assert np.array_equal(stored[1].numpy(), expected)
    assert stored.is_contiguous()
