from dataclasses import replace
from pathlib import Path

import pytest

from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import AttackIdentity, Run, append_point, find_runs, read_points
from robust_tuning.frontier.shift_comparison import compare_shifts, shift_names
from robust_tuning.frontier.shift_panel import Reference, ShiftPanel, ShiftSettings
from tests.frontier.synthetic import make_point
from tests.frontier.synthetic_shifts import write_shifted_run

FEW = {"fog": 0.5, "snow": 1.0}
STEPS = (0, 100, 200)


def write(folder: Path, strategy: str = "LoRA", **settings: object) -> Path:
    chosen = {"steps": STEPS, "examples": 60, "severities": (1, 2), "corruptions": FEW}
    return write_shifted_run(folder, strategy, **{**chosen, "domains": {"real": 0.5}, **settings})  # type: ignore[arg-type]  # named by the tests


def compare(folder: Path, **settings: object) -> list[ShiftPanel]:
    chosen = {"replicates": 20, **settings}
    return compare_shifts(find_runs([folder]), ShiftSettings(**chosen))  # type: ignore[arg-type]  # named by the tests


def rewrite(folder: Path, **changes: object) -> None:
    points = read_points(folder)
    (folder / "frontier.jsonl").unlink()
    for point in points:
        append_point(folder, replace(point, **changes))  # type: ignore[arg-type]  # named by the tests


def test_runs_are_pooled_by_shift_and_strategy(tmp_path: Path) -> None:
    for name, strategy in (("a", "LoRA"), ("b", "LoRA"), ("c", "BitFit")):
        write(tmp_path / name, strategy)
    panels = compare(tmp_path)
    assert [panel.conditions.shift for panel in panels] == ["corruptions", "domain"]
    for panel in panels:
        runs = {curve.strategy: len(curve.trajectories) for curve in panel.curves}
        assert runs == {"LoRA": 2, "BitFit": 1}
        means = [curve.best.measures["mean"].value for curve in panel.curves]
        assert means == sorted(means, reverse=True)


@pytest.mark.parametrize("change", ["benchmark", "backbone", "split"])
def test_other_conditions_are_other_panels(tmp_path: Path, change: str) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b", **{change: "other"}, with_outcomes=False)
    assert len(compare(tmp_path)) == 4


def test_another_fingerprint_or_other_sets_are_another_panel(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b", severities=(1, 2, 3))
    write(tmp_path / "c")
    other = {
        name: replace(shift, fingerprint="changed")
        for name, shift in read_points(tmp_path / "c")[0].shifts.items()
    }
    rewrite(tmp_path / "c", shifts=other)
    panels = compare(tmp_path)
    assert (
        sorted(panel.conditions.shift for panel in panels) == ["corruptions"] * 3 + ["domain"] * 2
    )
    domains = [panel for panel in panels if panel.conditions.shift == "domain"]
    assert [len(panel.curves[0].trajectories) for panel in domains] == [2, 1]


def test_the_attack_does_not_matter_and_may_be_missing(tmp_path: Path) -> None:
    for name, attack in (("a", None), ("b", AttackIdentity("x.PGD", {}, "1"))):
        write(tmp_path / name, attack=attack)
    assert all(len(panel.curves[0].trajectories) == 2 for panel in compare(tmp_path))


def test_accuracies_that_no_shift_owns_and_shifts_without_them_are_left_out() -> None:
    assert shift_names(make_point()) == []
    identity = make_point().shifts
    assert shift_names(make_point(shifts=identity)) == []


def test_without_shifts_there_is_no_panel(tmp_path: Path) -> None:
    append_point(tmp_path, make_point())
    assert compare(tmp_path) == []


def test_the_reference_is_the_unit_of_mce(tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    corruptions, domain = compare(folder, reference=Reference(Run(folder), 200))
    assert corruptions.reference == read_points(folder)[2]
    last = corruptions.curves[0].points[2].measures
    assert last["mce"].value == pytest.approx(1)
    assert last["mce"].interval == pytest.approx((1, 1)), "its own errors in every replicate"
    assert last["relative_mce"].interval == pytest.approx((1, 1))
    assert corruptions.curves[0].points[0].measures["mce"].value > 1
    assert domain.reference is None
    assert "mce" not in domain.curves[0].best.measures
    best, _ = compare(folder, reference=Reference(Run(folder)))
    assert best.reference == max(read_points(folder), key=lambda point: point.accuracy.value)


def test_a_reference_may_have_another_backbone_but_not_other_images(tmp_path: Path) -> None:
    write(tmp_path / "runs" / "a")
    write(tmp_path / "alexnet", "BitFit", backbone="alexnet")
    reference = Reference(Run(tmp_path / "alexnet"))
    assert compare(tmp_path / "runs", reference=reference)[0].reference is not None
    write(tmp_path / "other", "BitFit", benchmark="other", with_outcomes=False)
    panel, _ = compare(tmp_path / "runs", reference=Reference(Run(tmp_path / "other")))
    assert panel.reference is None
    assert any("was not evaluated on these sets" in note for note in panel.notes)
    assert "mce" not in panel.curves[0].best.measures


def test_a_reference_without_the_step_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    with pytest.raises(ConfigurationError, match=r"no evaluation at step 7 .* it has 0, 100, 200"):
        compare(folder, reference=Reference(Run(folder), 7))
