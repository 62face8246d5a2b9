import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier.statistics import (
    basic_interval,
    basic_intervals,
    resampling_weights,
    wilson,
)


# Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(
    successes: int, n: int, low: float, high: float
) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10**6), st.floats(0, 1), st.floats(0.01, 0.999))
def test_wilson_holds_the_proportion_and_mirrors(n: int, share: float, confidence: float) -> None:
    successes = round(share * n)
    low, high = wilson(successes, n, confidence)
    assert 0 <= low <= successes / n <= high <= 1
    assert low < high
    mirrored = wilson(n - successes, n, confidence)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


@given(st.integers(0, 50), st.integers(0, 50))
def test_wilson_ends_are_where_the_score_test_turns(successes: int, failures: int) -> None:
    n = successes + failures
    low, high = wilson(successes, n)
    if n == 0:
        assert (low, high) == (0, 1)
    # The definition: the ends are the proportions whose score statistic is the quantile itself.
    for end in (low, high):
        if 0 < end < 1:
            z = (successes / n - end) / np.sqrt(end * (1 - end) / n)
            assert abs(z) == pytest.approx(1.959964, abs=1e-5)


@pytest.mark.parametrize("bad", [(-1, 5, 0.95), (6, 5, 0.95), (1, 5, 1.0), (1, 5, 0.0), (1, 5, 95)])
def test_wilson_refuses_what_is_no_proportion(bad: tuple[int, int, float]) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        wilson(*bad)


def test_weights_draw_every_example_equally_often() -> None:
    weights = resampling_weights(50, 2000, seed=3)
    assert weights.shape == (2000, 50)
    assert (weights.sum(axis=1) == 50).all()
    assert (weights == weights.round()).all()
    # Poisson(1) in the limit: the mean of 2,000 draws lies within five standard errors of 1.
    assert np.abs(weights.mean(axis=0) - 1).max() < 5 / np.sqrt(2000)
    assert weights.var() == pytest.approx(1 - 1 / 50, rel=0.03)


def test_weights_depend_on_the_seed_alone() -> None:
    first = resampling_weights(20, 10, seed=1)
    resampling_weights(20, 10, seed=2)  # pushes the first out of the cache
    assert (resampling_weights(20, 10, seed=1) == first).all()
    assert (resampling_weights(20, 10, seed=2) != first).any()
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 7


@pytest.mark.parametrize("bad", [(0, 10), (10, 0)])
def test_weights_refuse_nothing(bad: tuple[int, int]) -> None:
    with pytest.raises(ConfigurationError, match="expected both >= 1"):
        resampling_weights(*bad, seed=0)


def test_basic_interval_takes_a_bias_off() -> None:
    samples = np.linspace(10, 20, 1001)  # an estimate of 12 whose replicates centre on 15
    low, high = basic_interval(12, samples, 0.9)
    assert (low, high) == pytest.approx((24 - 19.5, 24 - 10.5))


def test_many_basic_intervals_are_each_its_own() -> None:
    samples = np.random.default_rng(0).random((3, 50))
    estimates = np.array([0.2, 0.5, 0.9])
    samples[1, 40:] = np.nan  # no sample at all
    low, high = basic_intervals(estimates, samples, 0.8)
    for place, row in enumerate((samples[0], samples[1, :40], samples[2])):
        expected = basic_interval(float(estimates[place]), row, 0.8)
        assert (low[place], high[place]) == pytest.approx(expected)
