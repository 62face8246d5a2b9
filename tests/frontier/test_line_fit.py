import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import linregress, norm

from robust_tuning.frontier.line_fit import Line, LineFit
from robust_tuning.frontier.statistics import basic_interval
from robust_tuning.frontier.trend import Trend


def make_trend(replicates: int = 0, points: int = 6) -> Trend:
    generator = np.random.default_rng(0)
    clean = np.linspace(0.2, 0.9, points)
    ood = norm.cdf(0.8 * norm.ppf(clean) - 0.5 + 0.1 * generator.standard_normal(points))
    samples = None
    if replicates:
        noise = 0.01 * generator.standard_normal((2, replicates, points))
        samples = clean + noise[0], ood + noise[1]
    n = np.full(points, 1000)
    return Trend.of(clean, ood, (n, n), 1000, samples, 0.9)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 30))
def test_the_line_is_scipys(seed: int, points: int) -> None:
    x, y = np.random.default_rng(seed).standard_normal((2, points))
    line, expected = Line.through(x, y), linregress(x, y)
    assert line.slope == pytest.approx(expected.slope)
    assert line.intercept == pytest.approx(expected.intercept)
    assert line.r_squared == pytest.approx(expected.rvalue**2)


def test_every_replicate_has_its_own_line() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 4, 5))
    together = Line.through(x, y)
    for row in range(4):
        alone = Line.through(x[row], y[row])
        assert together.slope[row] == pytest.approx(alone.slope)
        assert together.predict(x)[row] == pytest.approx(alone.slope * x[row] + alone.intercept)


def test_no_line_goes_through_one_accuracy() -> None:
    assert np.isnan(Line.through(np.zeros(3), np.arange(3.0)).slope)


def test_effective_robustness_is_measured_in_accuracy_from_a_line_in_probits() -> None:
    trend = make_trend()
    fit = LineFit.of(trend)
    clean, ood = trend.clean[0], trend.ood[0]
    expected = linregress(norm.ppf(clean), norm.ppf(ood))
    assert fit.slope.value == pytest.approx(expected.slope)
    assert fit.intercept.value == pytest.approx(expected.intercept)
    assert fit.r_squared.value == pytest.approx(expected.rvalue**2)
    assert fit.points == 6
    predicted = norm.cdf(expected.slope * norm.ppf(clean) + expected.intercept)
    found = [measure.value for measure in fit.effective_robustness]
    assert found == pytest.approx(list(ood - predicted))
    assert fit.slope.interval is None


def test_the_line_is_fitted_anew_in_every_replicate() -> None:
    trend = make_trend(replicates=300)
    clean, ood = (part[0] for part in trend.samples)
    slopes, deviations = [], []
    for x, y in zip(clean, ood, strict=True):
        line = linregress(norm.ppf(x), norm.ppf(y))
        slopes.append(line.slope)
        deviations.append(y[2] - norm.cdf(line.slope * norm.ppf(x[2]) + line.intercept))
    fit = LineFit.of(trend)
    assert fit.slope.interval == pytest.approx(
        basic_interval(fit.slope.value, np.array(slopes), 0.9)
    )
    third = fit.effective_robustness[2]
    assert third.interval == pytest.approx(basic_interval(third.value, np.array(deviations), 0.9))
    assert fit.r_squared.interval is not None
    assert fit.r_squared.interval[1] <= 1


def test_the_equation_names_scale_and_sign() -> None:
    fit = LineFit.of(make_trend())
    slope, intercept = fit.slope.value, fit.intercept.value
    assert intercept < 0
    assert fit.equation == f"probit(OOD) = {slope:.2f} probit(clean) - {-intercept:.2f}"
