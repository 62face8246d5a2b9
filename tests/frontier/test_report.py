import re
import sys
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from robust_tuning.errors import RunError
from robust_tuning.frontier import append_point, find_runs, summarise_run
from robust_tuning.frontier.comparison import AreaSettings, compare
from robust_tuning.frontier.report import comparison_tables
from tests.frontier.synthetic import STRATEGIES, make_point, write_run
from tests.frontier.synthetic_shifts import write_shifted_run

STEPS = (0, 200, 400, 1000)


def render(renderable: RenderableType, width: int = 80) -> str:
    console = Console(width=width, record=True, file=Path("/dev/null").open("w"))  # noqa: SIM115  closed below
    console.print(renderable)
    console.file.close()
    return console.export_text()


def test_the_tables_rank_strategies_and_say_what_the_area_is(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path / f"b{seed}", "Adapter", seed=seed, steps=STEPS, threats=("linf-1/255",))
    write_run(tmp_path / "c", "Compacter", steps=STEPS, threats=("linf-1/255",))
    settings = AreaSettings(replicates=20)
    comparisons = compare(find_runs([tmp_path]), settings)
    text = render(comparison_tables(comparisons), width=120)
    assert text.index("Compacter") < text.index("Adapter")
    assert settings.definition in text
    assert "n = 1,000" in text
    curve = comparisons[0].panels[0].curves[1]
    assert curve.interval is not None
    row = text[text.index("Adapter") :]
    assert "2 / 8" in row
    assert "3.6M" in row
    assert f"{curve.frontier.area:.3f}"[1:] in row
    assert "[{:.3f},{:.3f}]".format(*curve.interval).replace("0.", ".") in row
    best = max((p.accuracy for p in curve.frontier.points), key=lambda e: e.value)
    assert f"{100 * best.value:.1f}" in row
    assert f"[{100 * best.low:.1f},{100 * best.high:.1f}]" in row


def test_seven_strategies_fit_a_terminal_of_80_columns(tmp_path: Path) -> None:
    for strategy in STRATEGIES:
        write_run(tmp_path / strategy, strategy, steps=STEPS)
    text = render(comparison_tables(compare(find_runs([tmp_path]), AreaSettings(replicates=20))))
    assert max(map(len, text.splitlines())) <= 80
    # Every interval in one piece: of 7 strategies 3 threats with 6, and of 6 the way to the best.
    assert len(re.findall(r"\[-?[\d.]+,[\d.]+\]", text)) == 7 * 3 * 6 + 6 * 3
    assert "…" not in text


def test_confidence_moves_the_wilson_intervals(tmp_path: Path) -> None:
    append_point(tmp_path, make_point())
    low, high = 100 * 0.4902, 100 * 0.9433  # 8 of 10 at 95 %: Wilson
    wide = render(comparison_tables(compare(find_runs([tmp_path]), AreaSettings())))
    assert f"[{low:.1f},{high:.1f}]" in wide
    narrow = render(comparison_tables(compare(find_runs([tmp_path]), AreaSettings(confidence=0.5))))
    assert f"[{low:.1f},{high:.1f}]" not in narrow
    assert "50% intervals" in narrow


def test_a_missing_interval_has_its_reason_below_the_table(tmp_path: Path) -> None:
    write_run(tmp_path / "a", steps=STEPS, with_outcomes=False)
    text = render(comparison_tables(compare(find_runs([tmp_path]), AreaSettings())), width=300)
    assert "LoRA: no interval of the area: " in text
    assert "step-00000000.npz is missing" in text


def test_names_in_brackets_are_no_markup(tmp_path: Path) -> None:
    append_point(tmp_path, make_point(benchmark="[red]x[/red]", strategy="[bold]"))
    text = render(comparison_tables(compare(find_runs([tmp_path]), AreaSettings())))
    assert "[red]x[/red]" in text
    assert "[bold]" in text


def test_a_sweep_shows_the_range_of_trainable_parameters(tmp_path: Path) -> None:
    for count in (12, 3_400):
        append_point(tmp_path / str(count), make_point(trainable_parameters=count))
    text = render(comparison_tables(compare(find_runs([tmp_path]), AreaSettings())))
    assert "12 to" in text
    assert "3.4k" in text


def test_the_summary_of_a_run_marks_its_frontier(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "my-run", steps=STEPS)
    text = render(summarise_run(folder), width=120)
    assert "my-run · caltech256" in text
    (comparison,) = compare(find_runs([folder]), AreaSettings())
    frontiers = [panel.curves[0].frontier for panel in comparison.panels]
    for step in STEPS:
        (row,) = re.findall(rf"^ *{step} .*$", text, flags=re.MULTILINE)
        marks = re.findall(r"\]([* ])", f"{row} ")[1:]  # behind the accuracy stands none
        on_frontier = [step in {point.step for point in other.members} for other in frontiers]
        assert [mark == "*" for mark in marks] == on_frontier
    for panel in comparison.panels:
        assert (
            f"{panel.threat}: area {panel.curves[0].frontier.area:.3f}".replace(" 0.", " .") in text
        )
    assert comparison.settings.definition in text
    assert (folder / "frontier.png").exists()
    assert f"plot: {folder / 'frontier.png'}" in text.replace("\n", "")


def test_a_run_without_attack_shows_its_accuracies(tmp_path: Path) -> None:
    append_point(tmp_path, make_point(robust_accuracy={}, attack=None))
    text = render(summarise_run(tmp_path))
    assert "80.0 [49.0,94.3]" in text
    assert "area" not in text
    assert not (tmp_path / "frontier.png").exists()


def test_an_empty_run_says_so_and_no_run_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "frontier.jsonl").touch()
    assert "no evaluation was stored" in render(summarise_run(tmp_path), width=300)
    with pytest.raises(RunError):
        summarise_run(tmp_path / "missing")


def test_without_matplotlib_the_summary_still_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = render(summarise_run(write_run(tmp_path / "run", steps=STEPS)))
    assert "linf-4/255: area" in text
    assert "pip install 'robust-tuning[plots]'" in text


def test_the_summary_shows_shifts_with_and_without_an_attack(tmp_path: Path) -> None:
    folder = write_shifted_run(tmp_path / "run", examples=50, steps=STEPS, severities=(1, 2))
    text = render(summarise_run(folder))
    assert "area" not in text
    assert "OOD accuracy at the most accurate step" in text
    assert "15 corruptions x 2 severities" in text
    assert f"plot: {folder / 'ood.png'}" in text.replace("\n", "")
    assert (folder / "ood.svg").exists()
    assert not (folder / "frontier.png").exists()
    attacked = write_run(tmp_path / "attacked", steps=STEPS, examples=50)
    assert "OOD" not in render(summarise_run(attacked))
    assert not (attacked / "ood.png").exists()
