import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from robust_tuning.shifts.corruptions.zoom import zoomed
from tests.shifts.corruptions.pictures import pictures


def scipys(image: np.ndarray, factor: float) -> np.ndarray:
    side = image.shape[0]
    crop = math.ceil(side / factor)
    start = (side - crop) // 2
    part = image[start : start + crop, start : start + crop]
    large = ndimage.zoom(part, (factor, factor), order=1)
    trim = (large.shape[0] - side) // 2
    middle: np.ndarray = large[trim : trim + side, trim : trim + side]
    return middle


@pytest.mark.parametrize("factor", [1.0, 1.01, 1.1, 1.25, 2.25, 4.5])
@pytest.mark.parametrize("side", [32, 61])
def test_it_is_scipys_zoom_of_the_centre(factor: float, side: int) -> None:
    image = pictures(1, side, side)[0, 0].astype(np.float32)
    ours = zoomed(torch.from_numpy(image), factor).numpy()
    assert np.abs(ours - scipys(image.astype(float), factor)).max() < 1e-3


def test_each_axis_is_cut_and_trimmed_by_itself() -> None:
    columns = torch.arange(40.0).expand(20, 40)
    wide = zoomed(columns, 1.25)
    assert wide.shape == (20, 40)
    assert torch.equal(wide[0], wide[-1])
    assert torch.equal(zoomed(columns.T, 1.25), wide.T)
    assert wide[0, 0] == 4
    assert wide[0, -1] == 35


def test_the_input_is_left_alone() -> None:
    image = torch.rand(1, 3, 20, 20)
    before = image.clone()
    zoomed(image, 1.5)
    assert torch.equal(image, before)
