import numpy as np
import pytest
import torch
from scipy import stats

from robust_tuning.shifts.corruptions.draws import Draws
from robust_tuning.shifts.corruptions.noise import (
    gaussian_noise,
    impulse_noise,
    shot_noise,
    speckle_noise,
)

GREY = torch.full((4, 3, 64, 64), 120, dtype=torch.uint8)
DRAWS = Draws(torch.arange(4), 0)
N = GREY.numel()


def moments(images: torch.Tensor) -> tuple[float, float]:
    return float(images.double().mean()), float(images.double().std())


def test_gaussian_noise_has_its_deviation() -> None:
    mean, deviation = moments(gaussian_noise(GREY, DRAWS, 0.08))
    # Cutting lowers by half a level and adds the variance of a uniform number.
    assert mean == pytest.approx(119.5, abs=4 * 20.4 / N**0.5)
    assert deviation == pytest.approx((20.4**2 + 1 / 12) ** 0.5, rel=4 / (2 * N) ** 0.5)


def test_speckle_noise_is_in_proportion_to_the_pixel() -> None:
    mean, deviation = moments(speckle_noise(GREY, DRAWS, 0.2))
    assert mean == pytest.approx(119.5, abs=4 * 24 / N**0.5)
    assert deviation == pytest.approx(24, rel=0.01)
    black = torch.zeros_like(GREY)
    assert torch.equal(speckle_noise(black, DRAWS, 0.6), black)


@pytest.mark.parametrize(("photons", "level"), [(5.0, 120), (60.0, 40), (500.0, 120)])
def test_shot_noise_counts_photons(photons: float, level: int) -> None:
    noisy = shot_noise(torch.full_like(GREY, level), DRAWS, photons).numpy().ravel()
    rate = level / 255 * photons
    counts = np.arange(int(4 * rate) + 20)
    levels = np.minimum(np.floor(counts / photons * 255 + 2**-10), 255)
    chances = np.bincount(levels.astype(int), stats.poisson.pmf(counts, rate), minlength=256)
    common = chances * N > 20
    observed = np.bincount(noisy, minlength=256)
    rest = [observed[~common].sum()], [max(chances[~common].sum() * N, 1e-9)]
    assert rest[0][0] < 5 * rest[1][0] + 10
    expected = chances[common] / chances[common].sum() * observed[common].sum()
    assert stats.chisquare(observed[common], expected).pvalue > 1e-3


def test_shot_noise_leaves_black_and_spares_no_level() -> None:
    ramp = torch.arange(256, dtype=torch.uint8).expand(3, 256, 256).contiguous()[None]
    noisy = shot_noise(ramp, Draws(torch.tensor([1]), 0), 60.0).double()
    assert not noisy[..., 0].any()
    means, rates = noisy.mean((0, 1, 2))[:150], torch.arange(150.0)
    # 768 values a level; what is cut off lies below one level.
    assert ((means + 0.5 - rates).abs() < 4.5 * (rates * 255 / 60 / 768).sqrt() + 0.6).all()


def test_impulses_are_half_black_half_white() -> None:
    noisy = impulse_noise(GREY, DRAWS, 0.17)
    black, white = (noisy == 0).sum().item(), (noisy == 255).sum().item()
    deviation = (N * 0.085) ** 0.5
    assert black == pytest.approx(N * 0.085, abs=4 * deviation)
    assert white == pytest.approx(N * 0.085, abs=4 * deviation)
    assert (noisy == 120).sum() == N - black - white
    # Channels one by one: few pixels are hit in all three.
    hit = noisy != 120
    assert hit.all(1).double().mean() == pytest.approx(0.17**3, abs=0.004)
