from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm, pearsonr, spearmanr

from robust_tuning.frontier import Run, find_runs
from robust_tuning.frontier.outcomes import outcomes_path
from robust_tuning.frontier.shift_comparison import compare_shifts
from robust_tuning.frontier.shift_panel import ShiftPanel, ShiftSettings
from robust_tuning.frontier.statistics import basic_interval, resampling_weights
from tests.frontier.synthetic_shifts import write_shifted_run

STEPS = (0, 50, 100, 200)


def write(folder: Path, strategy: str = "LoRA", **settings: object) -> Run:
    chosen = {
        "steps": STEPS,
        "examples": 80,
        "severities": (1, 2),
        "corruptions": {"fog": 0.5, "snow": 1.0},
        "domains": {},
        **settings,
    }
    return Run(write_shifted_run(folder, strategy, **chosen))  # type: ignore[arg-type]  # named by the tests


def measure(*runs: Run, replicates: int = 50) -> ShiftPanel:
    (panel,) = compare_shifts(runs, ShiftSettings(replicates=replicates))
    return panel


def test_everything_of_a_run_against_a_plain_computation(tmp_path: Path) -> None:
    run = write(tmp_path / "run")
    panel = measure(run)
    weights = resampling_weights(80, 50, 0).astype(np.float64)
    keys = panel.layout.keys
    outcomes = [run.outcomes(point) for point in run.points]
    clean = np.array([other.clean_correct.mean() for other in outcomes])
    mean = np.array([np.mean([other.shifts[key].correct for key in keys]) for other in outcomes])
    clean_again = np.stack([weights @ other.clean_correct / 80 for other in outcomes], axis=1)
    mean_again = np.stack(
        [np.mean([weights @ o.shifts[k].correct / 80 for k in keys], axis=0) for o in outcomes],
        axis=1,
    )
    (curve,) = panel.curves
    for place, measured in enumerate(curve.points):
        found = measured.measures["mean"]
        assert found.value == pytest.approx(mean[place])
        low, high = basic_interval(mean[place], mean_again[:, place])
        assert found.interval == pytest.approx((max(low, 0), min(high, 1)))
        low, high = basic_interval(clean[place] - mean[place], (clean_again - mean_again)[:, place])
        assert measured.measures["excess_error"].interval == pytest.approx((low, high))
    x, y = (norm.ppf(np.clip(v, 0.5 / n, 1 - 0.5 / n)) for v, n in ((clean, 80), (mean, 80 * 4)))
    slope, intercept = np.polyfit(x, y, 1)
    assert panel.line is not None
    assert panel.line.slope.value == pytest.approx(slope)
    beyond = [point.measures["effective_robustness"].value for point in curve.points]
    assert beyond == pytest.approx(list(mean - norm.cdf(slope * x + intercept)))
    assert curve.correlation == panel.correlation
    assert curve.correlation is not None
    assert curve.correlation.pearson.value == pytest.approx(pearsonr(x, y).statistic)
    assert curve.correlation.spearman.value == pytest.approx(spearmanr(clean, mean).statistic)
    assert curve.correlation.pearson.interval is not None
    assert panel.same_images is True
    assert panel.notes == ()


def test_the_line_goes_through_all_strategies_and_correlations_through_one(tmp_path: Path) -> None:
    panel = measure(write(tmp_path / "a"), write(tmp_path / "b", "BitFit"))
    assert panel.line is not None
    assert panel.line.points == 8
    assert [curve.correlation and curve.correlation.points for curve in panel.curves] == [4, 4]


def test_calibration_is_among_the_measures(tmp_path: Path) -> None:
    run = write(tmp_path / "a")
    best = measure(run).curves[0].best
    assert best.measures["ece/clean"].interval == (0.02, 0.05)
    errors = [best.point.calibration[key].value for key in best.point.shifts["corruptions"].keys]
    assert best.measures["ece/shifted"].value == pytest.approx(np.mean(errors))
    bare = measure(write(tmp_path / "b", calibration={})).curves[0].best
    assert not {"ece/clean", "ece/shifted"} & bare.measures.keys()


def test_too_few_points_have_no_line_and_say_so(tmp_path: Path) -> None:
    panel = measure(write(tmp_path / "a", steps=(50, 200)))
    assert (panel.line, panel.correlation, panel.curves[0].correlation) == (None, None, None)
    assert "expected at least 3" in panel.notes[0]
    assert "effective_robustness" not in panel.curves[0].best.measures
    panel = measure(write(tmp_path / "b", "BitFit"), write(tmp_path / "c", steps=(50, 200)))
    assert panel.line is not None
    assert [bool(curve.correlation) for curve in panel.curves if curve.strategy == "LoRA"] == [
        False
    ]
    (note,) = panel.notes
    assert note.startswith("LoRA: no line and no correlation")


def test_a_point_without_outcomes_costs_only_its_own_intervals(tmp_path: Path) -> None:
    runs = [write(tmp_path / "a"), write(tmp_path / "b", "BitFit")]
    outcomes_path(runs[0].folder, 100).unlink()
    panel = measure(*find_runs([tmp_path]))
    of = {curve.strategy: curve for curve in panel.curves}
    known = [bool(point.measures["mean"].interval) for point in of["LoRA"].points]
    assert known == [True, True, False, True]
    assert all(point.measures["mean"].interval for point in of["BitFit"].points)
    assert of["BitFit"].correlation is not None
    assert of["BitFit"].correlation.pearson.interval is not None
    assert of["LoRA"].correlation is not None
    assert of["LoRA"].correlation.pearson.interval is None
    assert panel.line is not None
    assert panel.line.slope.interval is None
    (note,) = panel.notes
    assert "step-00000100.npz is missing" in note


def test_without_replicates_values_stand_alone(tmp_path: Path) -> None:
    panel = measure(write(tmp_path / "a"), replicates=0)
    assert panel.line is not None
    assert panel.line.slope.interval is None
    assert panel.curves[0].best.measures["mean"].interval is None
    assert (panel.same_images, panel.notes) == (None, ())
