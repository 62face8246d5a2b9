import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust_tuning.frontier import Estimate, wilson
from robust_tuning.frontier.measure import Measure, measure_all
from robust_tuning.frontier.statistics import basic_interval


def test_a_proportion_has_wilsons_interval_at_the_confidence_asked_for() -> None:
    measure = Measure.of_proportion(Estimate.of(8, 10), 0.5)
    assert (measure.value, measure.n, measure.interval) == (0.8, 10, wilson(8, 10, 0.5))


def test_every_row_of_replicates_makes_its_own_basic_interval() -> None:
    samples = np.random.default_rng(0).normal([[0.3], [0.6]], 0.05, (2, 400))
    measures = measure_all(np.array([0.3, 0.6]), 7, samples, confidence=0.9)
    for measure, value, row in zip(measures, (0.3, 0.6), samples, strict=True):
        assert (measure.value, measure.n) == (value, 7)
        assert measure.interval == pytest.approx(basic_interval(value, row, 0.9))


def test_undefined_replicates_are_left_out_and_no_others() -> None:
    good = np.linspace(0, 1, 101)
    samples = np.stack([np.r_[good, np.nan, np.inf], np.full(103, np.nan), np.r_[good, 0.5, 0.5]])
    first, second, third = measure_all(np.array([0.5, 0.5, 0.5]), 1, samples)
    assert first.interval == pytest.approx(basic_interval(0.5, good))
    assert second.interval is None
    assert third.interval is not None


@pytest.mark.parametrize("samples", [None, np.empty((1, 0))])
def test_without_replicates_there_is_no_interval(samples: np.ndarray | None) -> None:
    assert measure_all(np.array([0.5]), 3, samples) == [Measure(0.5, 3, None)]


@given(st.floats(-1, 1), st.lists(st.floats(-1, 1), min_size=1, max_size=30))
def test_an_interval_holds_its_number_and_stays_in_bounds(value: float, drawn: list[float]) -> None:
    (measure,) = measure_all(np.array([value]), 1, np.array([drawn]), bounds=(-1.0, 1.0))
    assert measure.interval is not None
    low, high = measure.interval
    assert -1 <= low <= value <= high <= 1


def test_bounds_may_differ_from_number_to_number() -> None:
    samples = np.full((2, 5), -3.0)
    bounds = np.array([0.0, -np.inf]), np.array([1.0, np.inf])
    first, second = measure_all(np.array([0.5, 0.5]), 1, samples, bounds=bounds)
    assert first.interval == (0.5, 1.0)
    assert second.interval == (0.5, 4.0)
