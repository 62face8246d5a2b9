import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from robust_tuning.errors import DataError
from robust_tuning.frontier.trend import Trend, from_probit, probit


def make_trend(clean: list[float], ood: list[float], n: int = 100) -> Trend:
    counts = np.full(len(clean), n)
    return Trend.of(np.array(clean), np.array(ood), (counts, counts), n)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(1, 10**6))
def test_probits_are_scipys_of_what_moved_inwards(values: list[float], n: int) -> None:
    accuracy = np.array(values)
    inside = np.clip(accuracy, 0.5 / n, 1 - 0.5 / n)
    found = probit(accuracy, n)
    np.testing.assert_allclose(found, norm.ppf(inside), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(from_probit(found), inside, atol=1e-9)


def test_probits_keep_shapes_and_nan_and_each_points_own_n() -> None:
    accuracy = np.array([[0.0, 1.0], [np.nan, 0.5]])
    found = probit(accuracy, np.array([10, 50]))
    np.testing.assert_allclose(found, [[norm.ppf(0.05), norm.ppf(0.99)], [np.nan, 0]], atol=1e-12)


@pytest.mark.parametrize("clean", [[0.5], [0.5, 0.6], [0.5, 0.6, 0.5, 0.6]])
def test_fewer_than_three_different_accuracies_are_refused(clean: list[float]) -> None:
    with pytest.raises(DataError, match=r"different clean accurac.* expected at least 3; evaluate"):
        make_trend(clean, clean)


def test_an_accuracy_that_never_changes_is_refused() -> None:
    with pytest.raises(DataError, match=r"OOD accuracy is 0\.25 at all 3 points"):
        make_trend([0.5, 0.6, 0.7], [0.25] * 3)


def test_a_part_is_the_trend_of_its_points() -> None:
    clean, ood, n = np.array([0.1, 0.5, 0.6, 0.7]), np.array([0.1, 0.2, 0.3, 0.4]), np.arange(4) + 9
    samples = np.random.default_rng(0).random((2, 6, 4))
    chosen = np.array([3, 0, 1])
    part = Trend.of(clean, ood, (n, n), 9, (samples[0], samples[1])).part(chosen)
    again = samples[:, :, chosen]
    expected = Trend.of(clean[chosen], ood[chosen], (n[chosen],) * 2, 9, (again[0], again[1]))
    for name in ("clean", "ood"):
        assert (getattr(part, name) == getattr(expected, name)).all()
    assert (part.samples[1] == expected.samples[1]).all()
    with pytest.raises(DataError, match="have 2 different"):
        part.part(np.array([0, 1]))


def test_measures_have_their_own_columns_of_replicates() -> None:
    trend = make_trend([0.1, 0.5, 0.6], [0.1, 0.2, 0.3], n=40)
    first, second = trend.measures(np.array([1.0, 5.0]), np.array([[1.0, 5.0], [1.0, 5.0]]))
    assert (first.n, first.interval, second.interval) == (40, (1.0, 1.0), (5.0, 5.0))
    bare, _ = trend.measures(np.array([1.0, 5.0]), np.empty((0, 2)))
    assert bare.interval is None
