from pathlib import Path

import numpy as np
import pytest

from robust_tuning.frontier import Estimate, ShiftIdentity, append_point, find_runs
from robust_tuning.frontier.comparison import AreaSettings, Comparison, compare
from robust_tuning.frontier.observed import above_average, scalars_of_panel
from robust_tuning.frontier.scalars import (
    ABOVE_AVERAGE,
    AREA,
    AT_BEST,
    BEST_ROBUST,
    BEST_SUM,
    EXPECTED,
    OOD_AREA,
)
from tests.frontier.synthetic import make_point, write_run

SETTINGS = AreaSettings(replicates=200)


def values(comparison: Comparison, strategy: str) -> dict[str, float]:
    scalars = scalars_of_panel(comparison.panels[0], comparison.settings)[strategy]
    return {scalar.key: scalar.value for scalar in scalars}


def test_scalars_of_three_points_by_hand(tmp_path: Path) -> None:
    shifts = {
        "a": ShiftIdentity("A", {}, "1", ("a-1", "a-2")),
        "b": ShiftIdentity("B", {}, "2", ("b",)),
    }
    for step, accuracy, robust, ood in ((0, 9, 1, 4), (1, 8, 3, 6), (2, 5, 4, 2)):
        point = make_point(
            step=step,
            accuracy=Estimate.of(accuracy, 10),
            robust_accuracy={"linf-1/255": Estimate.of(robust, 10)},
            ood_accuracy={
                "a-1": Estimate.of(ood, 10),
                "a-2": Estimate.of(ood + 2, 10),
                "b": Estimate.of(ood, 10),
            },
            shifts=shifts,
        )
        append_point(tmp_path, point)
    (comparison,) = compare(find_runs([tmp_path]), AreaSettings(replicates=0))
    assert values(comparison, "LoRA") == pytest.approx(
        {
            AREA: 0.9 * 0.1 + 0.8 * 0.2 + 0.5 * 0.1,
            AT_BEST: 0.1,
            BEST_ROBUST: 0.4,
            BEST_SUM: 1.1,
            EXPECTED: 0.55,
            # The mean over shifts: (ood + 1 + ood) / 2 in tenths.
            OOD_AREA: 0.9 * 0.45 + 0.8 * 0.2,
        }
    )


def test_intervals_surround_values_and_the_area_has_the_curves(tmp_path: Path) -> None:
    for strategy in ("LoRA", "BitFit"):
        write_run(tmp_path / strategy, strategy, steps=(0, 200, 400), examples=300)
    (comparison,) = compare(find_runs([tmp_path]), SETTINGS)
    panel = comparison.panels[0]
    for curve in panel.curves:
        scalars = {one.key: one for one in scalars_of_panel(panel, SETTINGS)[curve.strategy]}
        assert scalars[AREA].interval == curve.interval
        for key in (AT_BEST, BEST_ROBUST, BEST_SUM, EXPECTED):
            interval = scalars[key].interval
            assert interval is not None
            assert interval[0] <= scalars[key].value <= interval[1]
            assert interval[1] - interval[0] < 0.25
        assert scalars[OOD_AREA].interval is None, "outcomes under shift are missing"


def test_other_shifts_give_no_ood_area(tmp_path: Path) -> None:
    append_point(tmp_path / "a", make_point())
    append_point(tmp_path / "b", make_point(strategy="X", ood_accuracy={"fog": Estimate.of(1, 10)}))
    (comparison,) = compare(find_runs([tmp_path]), AreaSettings(replicates=0))
    assert OOD_AREA not in values(comparison, "LoRA")


def test_above_average_is_relative_to_the_mean_with_the_winner(tmp_path: Path) -> None:
    for strategy in ("LoRA", "BitFit", "IA3"):
        write_run(tmp_path / strategy, strategy, steps=(0, 200, 400), examples=300)
    (comparison,) = compare(find_runs([tmp_path]), SETTINGS)
    curves = comparison.panels[0].curves
    found = above_average(curves, 0.9)
    areas = np.array([curve.frontier.area for curve in curves])
    expected = 3 * areas / areas.sum() - 1
    assert [found[curve.strategy].value for curve in curves] == pytest.approx(list(expected))
    again = np.stack([curve.replicates.samples[AREA] for curve in curves])  # type: ignore[union-attr]
    ratio = 3 * again[0] / again.sum(axis=0) - 1
    low, high = np.quantile(ratio, [0.05, 0.95])
    best = found[curves[0].strategy]
    assert best.interval == pytest.approx((2 * best.value - high, 2 * best.value - low))
    assert best.key == ABOVE_AVERAGE
    assert above_average(curves[:1], 0.9) == {}
