import numpy as np
import pytest
import torch
from scipy import stats

from robust_tuning.randomness import words
from robust_tuning.shifts.corruptions.draws import Draws

KEYS = torch.tensor([3, -9, 12345678901])


def test_levels_are_quarters_of_words_from_the_lowest_bits_up() -> None:
    drawn = Draws(KEYS, 5).levels(2, 2, 3)
    assert drawn.shape == (3, 2, 3)
    whole = words(KEYS, torch.tensor([82, 82, 82]), 2).tolist()
    for row, pair in zip(drawn.flatten(1).tolist(), whole, strict=True):
        quarters = [(word >> shift) % 65536 for word in pair for shift in (0, 16, 32, 48)]
        # As int16, of which the lowest is the first level.
        assert row == [(quarter + 32768) % 65536 for quarter in quarters][:6]


def test_levels_are_even_over_the_whole_range() -> None:
    drawn = Draws(KEYS[:1], 0).levels(0, 400_000).numpy()[0]
    assert drawn.min() >= 0
    assert drawn.max() <= 65535
    assert stats.chisquare(np.bincount(drawn >> 8, minlength=256)).pvalue > 1e-3
    assert stats.chisquare(np.bincount(drawn & 255, minlength=256)).pvalue > 1e-3


def test_normal_numbers_are_normal() -> None:
    drawn = Draws(KEYS[:1], 0).normal(0, 200_000).double().numpy()[0]
    assert stats.kstest(drawn, "norm").pvalue > 1e-3
    assert drawn.var() == pytest.approx(1, abs=0.01)
    steps = drawn * 2**14
    assert np.array_equal(steps, np.round(steps))
    assert 3.9 < np.abs(drawn).max() <= 4.325


def test_uniform_numbers_are_midpoints() -> None:
    draws = Draws(KEYS, 1)
    assert torch.equal(draws.uniform(0, 9) * 65536 - 0.5, draws.levels(0, 9).float())


@pytest.mark.parametrize("bound", [2, 5, 6, 640])
def test_whole_numbers_below_a_bound_are_even(bound: int) -> None:
    drawn = Draws(KEYS[:1], 0).below(0, bound, 100_000).numpy()[0]
    counts = np.bincount(drawn)
    assert len(counts) == bound
    assert stats.chisquare(counts).pvalue > 1e-3


def test_draws_streams_and_keys_have_nothing_in_common() -> None:
    drawn = [
        Draws(KEYS[:1], 0).levels(0, 10_000),
        Draws(KEYS[:1], 0).levels(1, 10_000),
        Draws(KEYS[:1], 1).levels(0, 10_000),
        Draws(KEYS[1:2], 0).levels(0, 10_000),
    ]
    correlations = np.corrcoef(torch.cat(drawn).numpy())
    assert np.abs(correlations - np.eye(4)).max() < 0.04
