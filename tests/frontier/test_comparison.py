from dataclasses import replace
from pathlib import Path

import pytest

from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import AttackIdentity, ParetoFrontier, Run, append_point, find_runs
from robust_tuning.frontier.comparison import AreaSettings, compare
from robust_tuning.frontier.outcomes import outcomes_path
from tests.frontier.synthetic import make_point, write_run

QUICK = AreaSettings(replicates=20)
STEPS = (0, 100, 400)


def test_runs_of_a_strategy_are_pooled_and_strategies_ranked(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path / f"adapter-{seed}", "Adapter", seed=seed, steps=STEPS)
    write_run(tmp_path / "compacter", "Compacter", steps=STEPS)
    (comparison,) = compare(find_runs([tmp_path]), QUICK)
    assert [panel.threat for panel in comparison.panels] == [
        "linf-1/255",
        "linf-2/255",
        "linf-4/255",
    ]
    for panel in comparison.panels:
        first, second = panel.curves
        assert (first.strategy, second.strategy) == ("Compacter", "Adapter")
        assert first.frontier.area > second.frontier.area
        assert [len(points) for points in second.trajectories] == [3, 3]
        assert len(second.frontier.points) == 6


def test_area_and_interval_are_those_of_the_frontier(tmp_path: Path) -> None:
    run = Run(write_run(tmp_path / "run", steps=STEPS))
    settings = AreaSettings((0.1, 0.01), "linear", confidence=0.8, replicates=20)
    (comparison,) = compare([run], settings)
    for panel in comparison.panels:
        expected = ParetoFrontier.from_points(
            run.points, panel.threat, reference=(0.1, 0.01), interpolation="linear"
        )
        (curve,) = panel.curves
        assert curve.frontier == expected
        outcomes = [run.outcomes(point) for point in run.points]
        assert curve.interval == expected.bootstrap(outcomes, replicates=20, confidence=0.8)
        assert curve.note == ""
    assert comparison.settings.definition == expected.definition


@pytest.mark.parametrize(
    "changes",
    [
        {"benchmark": "cub200"},
        {"backbone": "resnet50"},
        {"split": "test"},
        {"attack": AttackIdentity("PGD", {"steps": 50}, "other")},
    ],
)
def test_other_conditions_are_another_comparison(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    append_point(tmp_path / "a", make_point())
    append_point(tmp_path / "b", make_point(**changes))
    comparisons = compare(find_runs([tmp_path]), QUICK)
    assert len(comparisons) == 2
    assert len({comparison.conditions for comparison in comparisons}) == 2
    assert all(
        len(comparison.panels[0].curves[0].frontier.points) == 1 for comparison in comparisons
    )


def test_a_threat_that_a_point_lacks_leaves_that_point_out(tmp_path: Path) -> None:
    write_run(tmp_path / "a", steps=STEPS, threats=("linf-1/255",))
    write_run(tmp_path / "b", steps=STEPS, seed=1, threats=("linf-1/255", "linf-4/255"))
    (comparison,) = compare(find_runs([tmp_path]), QUICK)
    counts = {panel.threat: len(panel.curves[0].frontier.points) for panel in comparison.panels}
    assert counts == {"linf-1/255": 6, "linf-4/255": 3}
    assert all(panel.curves[0].interval for panel in comparison.panels)


def test_points_without_robust_accuracy_are_left_out(tmp_path: Path) -> None:
    append_point(tmp_path, make_point(robust_accuracy={}, attack=None))
    assert compare([Run(tmp_path)], QUICK) == []


def test_without_outcomes_the_area_stands_alone_with_the_reason(tmp_path: Path) -> None:
    write_run(tmp_path / "a", steps=STEPS)
    write_run(tmp_path / "b", "BitFit", steps=STEPS)
    missing = outcomes_path(tmp_path / "a", 100)
    missing.unlink()
    (comparison,) = compare(find_runs([tmp_path]), QUICK)
    curves = {curve.strategy: curve for curve in comparison.panels[0].curves}
    assert curves["LoRA"].interval is None
    assert f"{missing} is missing" in curves["LoRA"].note
    assert curves["BitFit"].interval is not None


def test_other_examples_are_another_comparison_and_the_runs_are_named(tmp_path: Path) -> None:
    write_run(tmp_path / "a", steps=STEPS, examples=200)
    write_run(tmp_path / "b", steps=STEPS, examples=300)
    write_run(tmp_path / "c", "BitFit", steps=STEPS, examples=300)
    one, other = compare(find_runs([tmp_path]), QUICK)
    assert [len(comparison.panels[0].curves) for comparison in (one, other)] == [1, 2]
    assert (one.examples, other.examples) == ("n = 200", "n = 300")
    assert one.apart == (
        "not on these frontiers: runs b, c differ in evaluation examples (300, here 200, "
        "200 in common)",
    )
    assert "run a differs in evaluation examples (200, here 300" in other.apart[0]
    assert all(curve.interval for curve in other.panels[0].curves)


def test_a_point_without_outcomes_stands_with_those_of_its_size(tmp_path: Path) -> None:
    write_run(tmp_path / "small", "Adapter", steps=STEPS, examples=200)
    write_run(tmp_path / "a", steps=STEPS, examples=300, with_outcomes=False)
    write_run(tmp_path / "b", "BitFit", steps=STEPS, examples=300)
    comparisons = compare(find_runs([tmp_path]), QUICK)
    of_size = {comparison.examples: comparison for comparison in comparisons}
    names = {curve.strategy for curve in of_size["n = 300"].panels[0].curves}
    assert names == {"LoRA", "BitFit"}
    assert len(comparisons) == 2


def test_pools(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path / f"x{seed}", "LoRA", seed=seed, steps=STEPS)
    write_run(tmp_path / "y", "BitFit", steps=STEPS)
    runs = find_runs([tmp_path])
    curves = {
        pool: compare(runs, replace(QUICK, pool=pool))[0].panels[0].curves  # type: ignore[arg-type]  # literals
        for pool in ("run", "strategy", "all")
    }
    assert {curve.strategy for curve in curves["run"]} == {"LoRA · x0", "LoRA · x1", "BitFit · y"}
    assert {curve.strategy for curve in curves["strategy"]} == {"LoRA", "BitFit"}
    (everything,) = curves["all"]
    assert len(everything.frontier.points) == 9
    assert everything.frontier.area >= max(curve.frontier.area for curve in curves["strategy"])
    for wide, narrow in (("all", "strategy"), ("strategy", "run")):
        assert curves[wide][0].frontier.area >= curves[narrow][0].frontier.area
    assert [curve.runs for curve in curves["strategy"] if curve.strategy == "LoRA"] == [
        (tmp_path / "x0", tmp_path / "x1")
    ]


def test_the_largest_come_first(tmp_path: Path) -> None:
    for strategy in ("Adapter", "Compacter", "LoRA"):
        write_run(tmp_path / strategy, strategy, steps=STEPS)
    (comparison,) = compare(find_runs([tmp_path]), QUICK)
    short = comparison.largest(1)
    assert [panel.curves for panel in short.panels] == [
        panel.curves[:1] for panel in comparison.panels
    ]
    assert comparison.largest(9) == comparison


def test_normalising_divides_by_the_ideal_corner(tmp_path: Path) -> None:
    run = Run(write_run(tmp_path / "a", steps=STEPS))
    plain, share = (
        compare([run], AreaSettings((0.5, 0.2), replicates=20, normalise=how))[0]
        .panels[0]
        .curves[0]
        for how in ("none", "best")  # type: ignore[arg-type]  # literals
    )
    assert share.frontier.area == pytest.approx(plain.frontier.area / 0.4)
    assert plain.interval is not None
    assert share.interval == pytest.approx([end / 0.4 for end in plain.interval])
    assert "as a share of" in share.frontier.definition


def test_radii_are_those_of_all_points(tmp_path: Path) -> None:
    write_run(tmp_path / "a", steps=STEPS, threats=("linf-4/255", "linf-1/255", "linf-2/255"))
    write_run(tmp_path / "b", "BitFit", steps=STEPS, threats=("linf-4/255", "linf-1/255"))
    (comparison,) = compare(find_runs([tmp_path]), QUICK)
    radii = {panel.threat: [name for name, _ in panel.radii] for panel in comparison.panels}
    assert radii == {
        "linf-4/255": ["linf-1/255", "linf-4/255"],
        "linf-1/255": ["linf-1/255"],
        "linf-2/255": ["linf-1/255", "linf-2/255"],
    }


def test_labels_tell_the_conditions(tmp_path: Path) -> None:
    write_run(tmp_path / "a", steps=STEPS)
    (comparison,) = compare(find_runs([tmp_path]), replace(QUICK, replicates=0))
    assert comparison.title == "caltech256 · vit_base_patch16_224 #1a2b3c · validation"
    assert comparison.attack_label == "PGD(steps=15, restarts=1) #5f3a9c01"
    assert comparison.examples == "n = 1,000"
    assert comparison.panels[0].curves[0].interval is None


@pytest.mark.parametrize(
    "bad",
    [
        {"confidence": 95.0},
        {"replicates": -1},
        {"reference": (1.0, 0.0)},
        {"interpolation": "x"},
        {"pool": "seed"},
        {"normalise": "max"},
    ],
)
def test_settings_that_cannot_be_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        AreaSettings(**bad)  # type: ignore[arg-type]  # the error
