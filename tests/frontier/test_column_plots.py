from pathlib import Path

import numpy as np
import pytest

from robust_tuning.frontier import append_point, find_runs
from robust_tuning.frontier.column_plots import (
    COLUMN_WIDTH,
    draw_areas,
    draw_eps,
    draw_parameters,
    draw_steps,
    save_column_plots,
)
from robust_tuning.frontier.comparison import AreaSettings, Comparison, compare
from robust_tuning.frontier.point import Estimate
from tests.frontier.synthetic import STRATEGIES, make_point, write_run

pytest.importorskip("matplotlib")

THREATS = ("linf-4/255", "linf-1/255")
STEPS = (0, 200, 1000)


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    for strategy in ("LoRA", "BitFit"):
        for seed in (0, 1):
            folder = tmp_path / f"{strategy}{seed}"
            write_run(folder, strategy, seed=seed, examples=200, steps=STEPS, threats=THREATS)
    (found,) = compare(find_runs([tmp_path]), AreaSettings(replicates=20))
    return found


def test_files_and_their_names(comparison: Comparison, tmp_path: Path) -> None:
    paths = save_column_plots([comparison], tmp_path / "out")
    stems = {"steps", "eps", "areas", "parameters", "frontier-linf-1-255", "frontier-linf-4-255"}
    assert {path.stem for path in paths} == stems
    assert len(paths) == 3 * len(stems)
    assert all(path.stat().st_size > 1000 for path in paths)
    again = save_column_plots([comparison], tmp_path / "again")
    assert [a.read_bytes() for a in paths] == [b.read_bytes() for b in again]


def test_steps_has_every_run_of_accuracy_and_each_threat(comparison: Comparison) -> None:
    figure = draw_steps(comparison)
    assert figure.get_figwidth() == COLUMN_WIDTH
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["accuracy", *(f"robust accuracy, {p.threat}" for p in comparison.panels)]
    panel = comparison.panels[1]
    lines = figure.axes[2].lines
    assert len(lines) == len(panel.curves) < sum(len(c.trajectories) for c in panel.curves)
    for line, curve in zip(lines, panel.curves, strict=True):
        steps, values = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        ends = np.flatnonzero(np.isnan(steps))
        assert np.array_equal(np.isnan(values), np.isnan(steps))
        for points, x, y in zip(
            curve.trajectories, np.split(steps, ends + 1), np.split(values, ends + 1), strict=False
        ):
            assert list(x[:-1]) == list(STEPS), "runs are not joined"
            assert list(y[:-1]) == [p.robust_accuracy[panel.threat].value for p in points]
        assert len(ends) == len(curve.trajectories)


def test_eps_rises_from_the_clean_accuracy_of_the_most_accurate_point(
    comparison: Comparison,
) -> None:
    (axes,) = draw_eps(comparison).axes
    for line, curve in zip(axes.lines, comparison.panels[0].curves, strict=True):
        point = max(curve.frontier.points, key=lambda point: point.accuracy.value)
        assert np.asarray(line.get_xdata()) == pytest.approx([0, 1, 4])
        assert list(np.asarray(line.get_ydata())) == [
            point.accuracy.value,
            *(point.robust_accuracy[threat].value for threat in sorted(THREATS)),
        ]


def test_bars_are_the_areas_with_their_intervals(comparison: Comparison) -> None:
    for axes, panel in zip(draw_areas(comparison).axes, comparison.panels, strict=True):
        assert [bar.get_width() for bar in axes.patches] == [c.frontier.area for c in panel.curves]
        shown = [tuple(np.asarray(line.get_xdata())) for line in axes.lines]
        assert shown == [curve.interval for curve in panel.curves]
        assert [t.get_text() for t in axes.get_yticklabels()] == [c.strategy for c in panel.curves]


def test_parameters_stand_below_their_areas(comparison: Comparison) -> None:
    axes = draw_parameters(comparison).axes[0]
    assert axes.get_xscale() == "log"
    for line, curve in zip(axes.lines, comparison.panels[0].curves, strict=True):
        assert list(np.asarray(line.get_xdata())) == [STRATEGIES[curve.strategy][2]]
        assert list(np.asarray(line.get_ydata())) == [curve.frontier.area]


def test_threats_without_a_radius_have_no_figure_of_eps(tmp_path: Path) -> None:
    odd = {"rotation": Estimate.of(3, 10)}
    append_point(tmp_path / "run", make_point(robust_accuracy=odd, trainable_parameters=0))
    comparisons = compare(find_runs([tmp_path]), AreaSettings(replicates=0))
    paths = save_column_plots(comparisons, tmp_path)
    assert {path.stem for path in paths} == {"steps", "areas", "parameters"}
