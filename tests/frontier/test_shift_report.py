import re
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from robust_tuning.frontier import Run, find_runs
from robust_tuning.frontier.shift_comparison import compare_shifts
from robust_tuning.frontier.shift_panel import Reference, ShiftPanel, ShiftSettings
from robust_tuning.frontier.shift_report import run_block, shift_tables
from robust_tuning.frontier.tables import percent
from tests.frontier.synthetic import STRATEGIES
from tests.frontier.synthetic_shifts import CORRUPTIONS, DOMAINS, write_shifted_run

STEPS = (0, 100, 300)


def render(renderable: RenderableType, width: int = 80) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def panels_of(folder: Path, **settings: object) -> list[ShiftPanel]:
    chosen = {"replicates": 20, **settings}
    return compare_shifts(find_runs([folder]), ShiftSettings(**chosen))  # type: ignore[arg-type]  # named by the tests


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seven")
    for strategy in STRATEGIES:
        write_shifted_run(folder / strategy, strategy, examples=100, steps=STEPS)
    return folder


def test_seven_strategies_and_fifteen_corruptions_fit_80_columns(seven: Path) -> None:
    reference = Reference(Run(seven / "LinearProbe"), 300)
    text = render(shift_tables(panels_of(seven, reference=reference)))
    assert max(map(len, text.splitlines())) <= 80
    tables = re.sub(r"^(line|slope|R²|95%).*$", "", text, flags=re.MULTILINE)
    # Every interval in one piece: six or seven accuracies and relations, groups and severities.
    corruptions = 7 * (5 + 5 + len(CORRUPTIONS) + 5 + 1)
    domains = 7 * (5 + 5 + len(DOMAINS))
    intervals = re.findall(r"\[-?[\d.]+,-?[\d.]+\]", tables)
    assert len(intervals) == corruptions + domains
    assert "…" not in text
    for name in (*CORRUPTIONS, *DOMAINS, *(f"severity {level}" for level in range(1, 6))):
        assert name in text


def test_the_numbers_are_those_of_the_most_accurate_point(seven: Path) -> None:
    panel, _ = panels_of(seven)
    text = render(shift_tables([panel]), width=200)
    for curve in panel.curves:
        row = text[text.index(curve.strategy) :].splitlines()
        assert row[0].split()[1] == str(curve.best.point.step)
        shown = [percent(curve.best.measures[name])[0] for name in ("mean", "worst")]
        assert row[0].split()[3:5] == shown
        assert percent(curve.best.measures["mean"])[1] in row[1]
    marked = re.findall(r"\*([\d.]+)", text)
    worst = [percent(curve.best.measures["worst"])[0] for curve in panel.curves]
    assert sorted(marked) == sorted(worst)


def test_the_notes_state_line_images_and_what_intervals_cover(seven: Path) -> None:
    panel, domain = panels_of(seven, confidence=0.9)
    text = render(shift_tables([panel]), width=400)
    assert panel.line is not None
    assert f"{panel.line.equation}, least squares through 21 points" in text
    assert f"R² {panel.line.r_squared.value:.3f}" in text
    assert "Corruptions(table=imagenet) #c0a1" in text
    assert "clean: 100 images of the validation split; shifted: the same images" in text
    assert "90% intervals" in text
    assert "sampling of images, not of training" in text
    assert "500 other images" in render(shift_tables([domain]), width=400)
    assert "pooled" in render(shift_tables([domain]))
    assert "pooled" not in text, "every corruption has as many images: it is the mean"


def test_the_reference_is_stated_and_missing_without_one(seven: Path) -> None:
    text = render(shift_tables(panels_of(seven)[:1]), width=300)
    assert "mCE" not in text
    assert "error above" in text
    reference = Reference(Run(seven / "BitFit"), 100)
    text = render(shift_tables(panels_of(seven, reference=reference)[:1]), width=300)
    assert "relative to those of BitFit at step 100 (BitFit, vit_base" in text
    assert "relative mCE" in text


def test_a_single_set_has_one_table_of_accuracies(tmp_path: Path) -> None:
    write_shifted_run(
        tmp_path, examples=50, steps=(0, 100), corruptions={}, domains={"real": 0.5},
        calibration={}, with_outcomes=False,
    )  # fmt: skip
    text = render(shift_tables(panels_of(tmp_path)), width=300)
    assert "shifted %" in text
    for absent in ("worst %", "pooled %", "ECE", "accuracy %"):
        assert absent not in text
    assert "is missing: nothing is known" in text
    assert "expected at least 3" in text


def test_the_block_of_a_run_is_compact_and_names_the_worst(seven: Path) -> None:
    panels = panels_of(seven / "LoRA")
    text = render(run_block(panels))
    assert max(map(len, text.splitlines())) <= 80
    assert len(text.splitlines()) < 30
    block = text[: text.index("corruptions (15")]
    # Of each shift the mean, the worst, the calibration error and the correlation, in one piece.
    assert len(re.findall(r"\[-?[\d.]+,-?[\d.]+\]", block)) == 4 * len(panels)
    for panel in panels:
        best = panel.curves[0].best
        assert percent(best.measures["mean"])[0] in text
        lowest = min(panel.layout.groups, key=lambda g: best.measures[f"group/{g}"].value)
        assert lowest in text
