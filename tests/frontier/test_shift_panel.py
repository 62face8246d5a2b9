from dataclasses import replace
from pathlib import Path

import pytest

from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import Estimate, Run, ShiftIdentity
from robust_tuning.frontier.shift_comparison import compare_shifts
from robust_tuning.frontier.shift_layout import ShiftLayout
from robust_tuning.frontier.shift_panel import (
    MeasuredPoint,
    ShiftConditions,
    ShiftCurve,
    ShiftPanel,
    ShiftSettings,
)
from tests.frontier.synthetic import make_point
from tests.frontier.synthetic_shifts import write_shifted_run


def panel_of(folder: Path) -> ShiftPanel:
    write_shifted_run(folder, examples=50, steps=(0, 100), severities=(1,), domains={})
    (panel,) = compare_shifts([Run(folder)], ShiftSettings(replicates=5))
    return panel


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [({"confidence": 1.0}, "expected 0 < confidence < 1"), ({"replicates": -1}, "0 or more")],
)
def test_wrong_settings_are_refused(settings: dict[str, float], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        ShiftSettings(**settings)  # type: ignore[arg-type]  # named by the tests


def test_the_order_of_keys_is_no_condition() -> None:
    points = [
        make_point(shifts={"domain": ShiftIdentity("x.Y", {}, "1", keys)})
        for keys in (("a", "b"), ("b", "a"))
    ]
    assert len({ShiftConditions.of(point, "domain") for point in points}) == 1


def test_the_best_point_is_the_first_of_the_most_accurate() -> None:
    points = [
        MeasuredPoint(make_point(step=step, accuracy=Estimate.of(right, 10)), {})
        for step, right in ((0, 1), (1, 8), (2, 8), (3, 7))
    ]
    curve = ShiftCurve("LoRA", (tuple(points[:2]), tuple(points[2:])), None)
    assert curve.best is points[1]
    assert curve.points == points


def test_words_say_which_images(tmp_path: Path) -> None:
    panel = panel_of(tmp_path / "run")
    clean = "clean: 50 images of the validation split; shifted: "
    assert panel.examples == f"{clean}the same images"
    assert replace(panel, same_images=None).examples == f"{clean}50 images"
    assert replace(panel, same_images=False).examples == f"{clean}50 other images"
    assert panel.title == "caltech256 · vit_base_patch16_224 #1a2b3c · validation"
    assert panel.label == "corruptions (15 corruptions x severity 1)"
    (curve,) = panel.curves
    some = [
        MeasuredPoint(p.point, {"mean": replace(p.measures["mean"], n=20)}) for p in curve.points
    ]
    part = replace(panel, curves=(ShiftCurve("LoRA", (tuple(some),), None),))
    assert part.examples == f"{clean}20 of the same images"


def test_attacked_shifts_say_so(tmp_path: Path) -> None:
    layout = ShiftLayout.of("domain/linf-1/255", ["domain-a/linf-1/255", "domain-b/linf-1/255"])
    panel = replace(panel_of(tmp_path / "run"), layout=layout)
    assert panel.label == "domain (2 sets) · robust accuracy, linf-1/255"
