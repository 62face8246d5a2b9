from dataclasses import replace
from pathlib import Path

from robust_tuning.frontier import find_runs
from robust_tuning.frontier.comparison import AreaSettings, Comparison, Panel, compare
from robust_tuning.frontier.differences import Comparisons
from robust_tuning.frontier.notes import can_be_compared, is_complete, notes_on
from tests.frontier.synthetic import write_run

NONE = Comparisons((), 0.0)


def panel_of(folder: Path, replicates: int = 20) -> tuple[Comparison, Panel]:
    (comparison,) = compare(find_runs([folder]), AreaSettings(replicates=replicates))
    return comparison, comparison.panels[0]


def test_seeds_are_noted_for_whom_they_are_covered(tmp_path: Path) -> None:
    for name, strategy, seed in (("a", "LoRA", 0), ("b", "LoRA", 1), ("c", "IA3", 0)):
        write_run(tmp_path / name, strategy, seed=seed, steps=(0, 400), examples=50)
    notes = list(notes_on(*panel_of(tmp_path), NONE))
    assert notes == [
        "intervals cover examples and seeds (2 a setting) of LoRA; from so few seeds they are "
        "rough",
        "intervals do not cover seeds of IA3: no two runs differ only in their seed, so they speak "
        "of other images for the models at hand",
    ]


def test_what_is_apart_is_noted(tmp_path: Path) -> None:
    write_run(tmp_path / "a", steps=(0, 400), examples=50)
    comparison, panel = panel_of(tmp_path)
    noted = list(notes_on(replace(comparison, apart=("run x differs",)), panel, NONE))
    assert noted[-1] == "run x differs"


def test_curves_without_replicates_or_with_few_examples_are_not_compared(tmp_path: Path) -> None:
    write_run(tmp_path / "few", steps=(0, 400), examples=19)
    write_run(tmp_path / "none", steps=(0, 400), examples=50, with_outcomes=False)
    write_run(tmp_path / "good", steps=(0, 400), examples=20)
    for name, good in (("few", False), ("none", False), ("good", True)):
        _, panel = panel_of(tmp_path / name)
        assert can_be_compared(panel.curves[0]) is good
        assert is_complete(panel) is good


def test_curves_beyond_the_most_are_counted(tmp_path: Path) -> None:
    write_run(tmp_path / "a", steps=(0, 400), examples=50)
    comparison, panel = panel_of(tmp_path)
    many = replace(panel, curves=panel.curves * 41)
    notes = " ".join(notes_on(comparison, many, NONE))
    assert "only the 40 largest of 41 areas are compared and shown; areas.csv" in notes
