import torch

from robust_tuning.shifts.corruptions.draws import Draws
from robust_tuning.shifts.corruptions.snow import Snowfall, grey, snow
from tests.shifts.corruptions.pictures import pictures

DRY = Snowfall(0.1, 0.2, 2, 9.0, 8, 3, 0.8)


def test_without_flakes_only_the_whitening_is_left() -> None:
    image = torch.from_numpy(pictures(1, 32, 40))
    seen = snow(image, Draws(torch.tensor([1]), 0), DRY).double()
    pixels = image.double()
    luma = pixels[:, 0] * 0.299 + pixels[:, 1] * 0.587 + pixels[:, 2] * 0.114
    white = torch.maximum(pixels, (1.5 * luma + 127.5)[:, None])
    expected = (0.8 * pixels + 0.2 * white).clamp(max=255)
    assert ((seen - (expected - 0.5)).abs() < 0.502).all()
    assert torch.allclose(grey(pixels)[:, 0], luma)


def test_flakes_fall_from_above_and_again_turned_around() -> None:
    black = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    whitened = round(0.2 * 127.5 - 0.5)
    draws = Draws(torch.tensor([1]), 0)
    flakes = snow(black, draws, DRY._replace(mean=0.3, threshold=0.6)).int() - whitened
    assert torch.equal(flakes, flakes.flip(2, 3))
    assert torch.equal(flakes[:, 0], flakes[:, 2])
    assert 0.02 < (flakes > 20).float().mean() < 0.6
    # Streaks are nearer to the vertical than to the horizontal.
    lit = flakes[0, 0].float()
    assert (lit[1:] - lit[:-1]).abs().mean() < (lit[:, 1:] - lit[:, :-1]).abs().mean()


def test_many_flakes_where_the_noise_is_high() -> None:
    black = torch.zeros(4, 3, 64, 64, dtype=torch.uint8)
    means = [
        snow(black, Draws(torch.arange(4), 0), DRY._replace(threshold=0.5, mean=mean))
        .float()
        .mean()
        for mean in (0.1, 0.3, 0.55)
    ]
    assert means[0] < means[1] < means[2]
