import numpy as np
import pytest
import torch
from scipy import ndimage

from robust_tuning.shifts.corruptions.blur import defocus_blur, disk, gaussian_blur, zoom_blur
from robust_tuning.shifts.corruptions.draws import Draws
from tests.shifts.corruptions.pictures import pictures
from tests.shifts.corruptions.test_zoom import scipys

IMAGES = pictures(2, 48, 48)
TENSOR = torch.from_numpy(IMAGES)
NONE = Draws(torch.zeros(2, dtype=torch.int64), 0)


def test_gaussian_blur_is_scipys_cut() -> None:
    expected = ndimage.gaussian_filter(
        IMAGES.astype(float), (0, 0, 2, 2), mode="nearest", truncate=4
    )
    difference = gaussian_blur(TENSOR, NONE, 2.0).numpy() - (expected - 0.5)
    assert np.abs(difference).max() < 0.52


@pytest.mark.parametrize(("radius", "inside"), [(0.3, 1), (1.5, 9), (3, 29), (8, 197), (10, 317)])
def test_a_sharp_disk_has_equal_weights_inside(radius: float, inside: int) -> None:
    kernel = disk(radius, 1e-3)
    assert np.allclose(kernel[kernel > 0], 1 / inside)
    assert (kernel > 0).sum() == inside
    assert np.array_equal(kernel, kernel.T)
    assert np.array_equal(kernel, kernel[::-1])


def test_a_soft_disk_is_a_sharp_one_blurred() -> None:
    side = np.exp(-1 / (2 * 0.4**2))
    line = np.array([side, 1, side]) / (1 + 2 * side)
    centre = disk(0.3, 0.4)[7:10, 7:10]
    assert np.allclose(centre, np.outer(line, line))
    assert disk(0.3, 0.4).sum() == pytest.approx(1)
    assert disk(6, 0.5).sum() == pytest.approx(1)


def test_a_disk_that_touches_its_border_gains_weight_as_in_opencv() -> None:
    # Sums of the kernels that OpenCV 5 makes.
    assert disk(8, 0.5).sum() == pytest.approx(1.0129755, abs=1e-4)
    assert disk(10, 0.5).sum() == pytest.approx(1.0107858, abs=1e-4)
    assert disk(10, 0.5).shape == (21, 21)


def test_defocus_of_a_point_is_the_disk() -> None:
    point = torch.zeros(1, 3, 31, 31, dtype=torch.uint8)
    point[..., 15, 15] = 255
    seen = defocus_blur(point, NONE, (3.0, 0.1))[0, 0].numpy()
    assert np.array_equal(seen[12:19, 12:19] > 0, disk(3.0, 0.1)[5:12, 5:12] > 0.003)
    assert seen.max() == 255 // 29


def test_zoom_blur_is_the_mean_of_zooms_and_twice_the_image() -> None:
    # 1 to 1.11 in steps of 0.01 are twelve factors: the end is taken in.
    factors = [1 + 0.01 * step for step in range(12)]
    image = IMAGES[0, 0].astype(float)
    mean = (image + sum(scipys(image, factor) for factor in factors)) / 13
    ours = zoom_blur(TENSOR, NONE, (1.11, 0.01))[0, 0].numpy()
    assert np.abs(ours - (mean - 0.5)).max() < 0.51
