from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from robust_tuning.shifts.corruptions.filters import convolve, gaussian, gaussian_blocks
from tests.shifts.corruptions.pictures import pictures


@pytest.mark.parametrize("sigma", [0, 0.05, 0.7, 6, 170.8])
@pytest.mark.parametrize("mode", ["nearest", "reflect"])
def test_the_blur_is_scipys(sigma: float, mode: Literal["nearest", "reflect"]) -> None:
    images = pictures(1, 40, 56)
    blurred = gaussian(torch.from_numpy(images), sigma, mode, truncate=3).numpy()
    expected = ndimage.gaussian_filter(
        images[0].astype(float), (0, sigma, sigma), mode=mode, truncate=3
    )
    assert np.abs(blurred[0] - expected).max() < 0.05


@given(size=st.integers(16, 150), sigma=st.floats(0.01, 30))
@settings(max_examples=30, deadline=None)
def test_weights_are_exact_steps_and_sum_to_one(size: int, sigma: float) -> None:
    made = []
    for block in gaussian_blocks(size, sigma, "nearest", 4.0, torch.device("cpu")):
        weights = block.weights * 2**17
        assert torch.equal(weights, weights.round())
        assert torch.equal(weights.sum(1), torch.full((len(weights),), 2.0**17).double())
        assert weights.min() >= 0
        made += list(range(size))[block.to]
    assert made == list(range(size))


def test_no_weight_is_lost_between_blocks() -> None:
    points = torch.eye(150).byte() * 255
    blurred = gaussian(points[None], 5.0)[0] / 255
    # Each pixel's share of all others: a line of the blur is its own square.
    line = torch.from_numpy(ndimage.gaussian_filter1d(np.eye(150), 5.0, axis=0, mode="nearest"))
    assert torch.allclose(blurred, line @ line.T, atol=1e-4)


@pytest.mark.parametrize("side", [3, 9, 21])
def test_the_convolution_is_scipys(side: int) -> None:
    images = pictures(2, 37, 50)
    random = np.random.default_rng(side)
    kernel = random.uniform(size=(side, side))
    kernel /= kernel.sum()
    expected = ndimage.correlate(images.astype(float), kernel[None, None], mode="mirror")
    result = convolve(torch.from_numpy(images), kernel).numpy()
    assert np.abs(result - expected).max() < 0.2
    steps = result * 2**17
    assert np.array_equal(steps, np.round(steps))


def test_one_colour_stays_to_the_bit() -> None:
    image = torch.full((1, 3, 33, 20), 77, dtype=torch.uint8)
    assert (gaussian(image, 1.5) == 77).all()
    assert (convolve(image, np.full((5, 5), 0.04)) == 77).all()
