import numpy as np
import pytest
import torch

from robust_tuning.shifts.corruptions.draws import Draws
from robust_tuning.shifts.corruptions.fog import fog, plasma


def by_hand(noise: np.ndarray, decay: float) -> np.ndarray:
    """Diamonds and squares one place at a time."""
    size = len(noise)
    heights = np.zeros((size, size))
    step, wave = size, 100.0**2

    def fill(row: int, column: int, *corners: tuple[int, int]) -> None:
        mean = sum(heights[r % size, c % size] for r, c in corners) / 4
        heights[row, column] = mean + wave * noise[row, column]

    while step > 1:
        half = step // 2
        for r in range(half, size, step):
            for c in range(half, size, step):
                fill(r, c, *((r + a, c + b) for a in (-half, half) for b in (-half, half)))
        for r in range(0, size, half):
            for c in range(half if r % step == 0 else 0, size, step):
                fill(r, c, (r - half, c), (r + half, c), (r, c - half), (r, c + half))
        step, wave = half, wave / decay**2
    heights -= heights.min()
    scaled: np.ndarray = heights / heights.max()
    return scaled


@pytest.mark.parametrize("decay", [1.4, 3.0])
def test_the_plasma_is_filled_diamond_by_square(decay: float) -> None:
    draws = Draws(torch.tensor([1, 2]), 0)
    noise = draws.uniform(0, 16, 16).double().numpy() * 2 - 1
    for ours, numbers in zip(plasma(draws, 16, decay).numpy(), noise, strict=True):
        assert np.abs(ours - by_hand(numbers, decay)).max() < 1e-5
        assert ours.min() == 0
        assert ours.max() == 1


def test_the_fractal_is_added_and_the_brightest_value_stays() -> None:
    image = torch.full((1, 3, 32, 20), 100, dtype=torch.uint8)
    image[0, 0, 0, 0] = 200
    draws = Draws(torch.tensor([1]), 0)
    heights = plasma(draws, 32, 2.0)[0, :, :20].double().numpy()
    seen = fog(image, draws, (0.5, 2.0))[0].numpy()
    expected = (100 + 127.5 * heights) * 200 / (200 + 127.5)
    assert np.abs(seen[1] - (expected - 0.5)).max() < 0.51
    assert np.array_equal(seen[1], seen[2])


def test_black_stays_black() -> None:
    black = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    assert torch.equal(fog(black, Draws(torch.tensor([1]), 0), (3.0, 1.4)), black)
