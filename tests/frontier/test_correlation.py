import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import norm, pearsonr, rankdata, spearmanr

from robust_tuning.frontier.correlation import Correlation, pearson, ranks
from robust_tuning.frontier.statistics import resampling_weights
from robust_tuning.frontier.trend import Trend


@given(hnp.arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(1, 30)),
                  elements=st.integers(0, 6)))  # fmt: skip
def test_ranks_are_scipys_with_ties(values: np.ndarray) -> None:
    assert (ranks(values / 7) == rankdata(values, axis=-1)).all()


def test_a_row_that_lacks_a_value_has_no_ranks() -> None:
    found = ranks(np.array([[0.1, np.nan], [0.2, 0.1]]))
    np.testing.assert_array_equal(found, [[np.nan, np.nan], [2, 1]])


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 30))
def test_pearson_is_scipys_and_inside_its_range(seed: int, points: int) -> None:
    x, y = np.random.default_rng(seed).standard_normal((2, points))
    assert pearson(x, y) == pytest.approx(pearsonr(x, y).statistic)
    assert -1 <= pearson(x, 3 * x) <= 1


def test_pearson_of_what_is_everywhere_the_same_is_undefined() -> None:
    assert np.isnan(pearson(np.ones(4), np.arange(4.0)))


def test_pearson_is_of_probits_and_spearman_of_ranks() -> None:
    clean, ood = np.array([0.1, 0.5, 0.5, 0.8, 0.95]), np.array([0.05, 0.4, 0.2, 0.7, 0.6])
    n = np.full(5, 1000)
    found = Correlation.of(Trend.of(clean, ood, (n, n), 1000))
    expected = pearsonr(norm.ppf(clean), norm.ppf(ood)).statistic
    assert found.pearson.value == pytest.approx(expected)
    assert found.spearman.value == pytest.approx(spearmanr(clean, ood).statistic)
    assert (found.points, found.pearson.interval) == (5, None)


def test_intervals_hold_a_known_correlation_about_as_often_as_they_say() -> None:
    # A percentile interval fails here: noise pulls every replicate away from the truth near 1.
    generator = np.random.default_rng(0)
    points, examples = 12, 400
    truth = norm.ppf(np.linspace(0.1, 0.9, points))
    shifted = 0.8 * truth - 0.4 + 0.05 * np.sin(np.arange(points) * 2.3)
    expected = pearsonr(truth, shifted).statistic
    weights = resampling_weights(examples, 200, 0)
    n = np.full(points, examples)
    held, percentile = 0, 0
    for _ in range(60):
        hardness = 0.8 * generator.standard_normal(examples)
        noise = 0.6 * generator.standard_normal((2, points, examples))
        correct = hardness + noise < np.stack([truth, shifted])[:, :, None]
        clean, ood = correct.mean(axis=2)
        again = [weights @ part.T.astype(np.float32) / examples for part in correct]
        trend = Trend.of(clean, ood, (n, n), examples, (np.float64(again[0]), np.float64(again[1])))
        low, high = Correlation.of(trend).pearson.interval or (2, 2)
        held += low <= expected <= high
        replicates = pearson(trend.samples[0][1], trend.samples[1][1])
        percentile += expected <= np.quantile(replicates, 0.975)
    assert held >= 51
    assert percentile < 40
