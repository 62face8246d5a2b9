from math import inf, nan
from pathlib import Path

import pytest

from robust_tuning.frontier import find_runs
from robust_tuning.frontier.measure import Measure
from robust_tuning.frontier.page_shifts import measure_record, shift_record
from robust_tuning.frontier.shift_comparison import compare_shifts
from robust_tuning.frontier.shift_panel import ShiftSettings
from tests.frontier.synthetic_shifts import write_shifted_run


def test_a_shift_has_its_best_points_its_sets_and_its_line(tmp_path: Path) -> None:
    for strategy in ("LoRA", "BitFit"):
        write_shifted_run(
            tmp_path / strategy, strategy, examples=100, steps=(0, 100, 300), severities=(2,)
        )
    for panel in compare_shifts(find_runs([tmp_path]), ShiftSettings(replicates=10)):
        record = shift_record(panel)
        assert record["label"] == panel.label
        assert panel.line is not None
        assert record["line"]["slope"] == panel.line.slope.value
        assert [curve["strategy"] for curve in record["curves"]] == [
            curve.strategy for curve in panel.curves
        ]
        for curve, shown in zip(panel.curves, record["curves"], strict=True):
            best = curve.best
            assert shown["step"] == best.point.step
            assert shown["measures"]["mean"][0] == pytest.approx(best.measures["mean"].value, 1e-4)
            assert list(shown["groups"]) == list(panel.layout.groups)
            worst = min(shown["groups"], key=lambda name: shown["groups"][name][0])
            assert shown["worst_group"] == worst
            assert [point["step"] for run in shown["runs"] for point in run] == [0, 100, 300]


def test_what_is_not_known_is_none() -> None:
    assert measure_record(Measure(0.123456, 9)) == [0.12346, None, None, 9]
    assert measure_record(Measure(nan, 9, (0.1, inf))) == [None, 0.1, None, 9]
