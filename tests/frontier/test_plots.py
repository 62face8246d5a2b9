import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import append_point, find_runs, save_plot
from robust_tuning.frontier.comparison import AreaSettings, Comparison, compare
from robust_tuning.frontier.pareto import dominated_area
from robust_tuning.frontier.plots import COLOURS, draw
from tests.frontier.synthetic import STRATEGIES, make_point, write_run

pytest.importorskip("matplotlib")
from matplotlib.image import imread


def compare_two(folder: Path, settings: AreaSettings) -> Comparison:
    threats = ("linf-1/255", "linf-4/255")
    for strategy in ("LoRA", "BitFit"):
        write_run(folder / strategy, strategy, steps=(0, 200, 400, 1000), threats=threats)
    (comparison,) = compare(find_runs([folder]), settings)
    return comparison


def test_the_files_are_of_three_formats_and_reproducible(tmp_path: Path) -> None:
    comparison = compare_two(tmp_path, AreaSettings(replicates=20))
    png, svg, pdf = save_plot([comparison], tmp_path / "out")
    names = [path.name for path in (png, svg, pdf)]
    assert names == ["frontier.png", "frontier.svg", "frontier.pdf"]
    image = imread(png)
    assert image.shape[0] > 600
    assert image.shape[1] > 1200
    assert image[..., :3].std() > 0.05, "not blank"
    assert ET.parse(svg).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    again = save_plot([comparison], tmp_path / "again")
    assert [path.read_bytes() for path in again] == [p.read_bytes() for p in (png, svg, pdf)]
    assert pdf.read_bytes().startswith(b"%PDF")


def test_every_panel_has_its_words(tmp_path: Path) -> None:
    comparison = compare_two(tmp_path, AreaSettings(replicates=20, confidence=0.9))
    figure = draw(comparison)
    words = {text.get_text() for text in figure.texts}
    assert {"caltech256", "vit_base_patch16_224 #1a2b3c · validation"} < words
    assert "PGD(steps=15, restarts=1) #5f3a9c01 · n = 1,000" in words
    assert comparison.settings.definition in " ".join(words).replace("\n", " ")
    panels, tables = figure.axes[::2], figure.axes[1::2]
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles == ["linf-1/255", "linf-4/255"]
    for table, panel in zip(tables, comparison.panels, strict=True):
        shown = [text.get_text() for text in table.texts]
        assert "90% interval" in shown
        for curve in panel.curves:
            assert curve.interval is not None
            low, high = curve.interval
            row = shown.index(curve.strategy)
            assert shown[row + 1] == f"{curve.frontier.area:.3f}"
            assert shown[row + 2] == f"[{low:.3f}, {high:.3f}]"


@pytest.mark.parametrize("interpolation", ["staircase", "linear"])
def test_the_area_below_the_drawn_frontier_is_the_area_said(
    tmp_path: Path, interpolation: str
) -> None:
    settings = AreaSettings(interpolation=interpolation, replicates=0)  # type: ignore[arg-type]  # a literal of the list above
    comparison = compare_two(tmp_path, settings)
    axes = draw(comparison).axes[0]
    for curve in comparison.panels[0].curves:
        points = curve.frontier.members
        (bold,) = [
            line
            for line in axes.lines
            if line.get_linewidth() == 2.2
            and np.array_equal(line.get_xdata(), [p.accuracy.value for p in points])
        ]
        # The path as it is drawn, steps and all, in data units.
        x, y = np.asarray(bold.get_path().vertices).T
        if bold.get_drawstyle() == "steps-pre":
            x, y = np.repeat(x, 2)[:-1], np.repeat(y, 2)[1:]
        area = x[0] * y[0] + np.trapezoid(y, x)
        expected = dominated_area(
            [p.accuracy.value for p in curve.frontier.points],
            [p.robust_accuracy[curve.frontier.threat].value for p in curve.frontier.points],
            interpolation=settings.interpolation,
        )
        assert area == pytest.approx(expected)


def test_the_band_is_the_intervals_of_the_members(tmp_path: Path) -> None:
    comparison = compare_two(tmp_path, AreaSettings(replicates=0))
    panel, axes = comparison.panels[0], draw(comparison).axes[0]
    for curve, band in zip(reversed(panel.curves), axes.collections, strict=True):
        (path,) = band.get_paths()
        heights = {float(y) for y in np.asarray(path.vertices)[:, 1]}
        ends = [point.robust_accuracy[panel.threat] for point in curve.frontier.members]
        assert heights == {end for e in ends for end in (e.low, e.high)}


def test_each_strategy_has_one_colour_in_all_panels(tmp_path: Path) -> None:
    for strategy in STRATEGIES:
        write_run(tmp_path / strategy, strategy, steps=(0, 400), examples=100)
    (comparison,) = compare(find_runs([tmp_path]), AreaSettings(replicates=0))
    tables = draw(comparison).axes[1::2]
    seen: dict[str, set[str]] = {}
    for table, panel in zip(tables, comparison.panels, strict=True):
        keys = [line for line in table.lines if line.get_linewidth() == 2.4]
        for key, curve in zip(keys, panel.curves, strict=True):
            seen.setdefault(curve.strategy, set()).add(str(key.get_color()))
    assert set().union(*seen.values()) == set(COLOURS)
    assert all(len(colours) == 1 for colours in seen.values())


def test_several_comparisons_have_their_own_files(tmp_path: Path) -> None:
    for benchmark in ("caltech256", "a/b c"):
        append_point(tmp_path / benchmark, make_point(benchmark=benchmark))
    paths = save_plot(compare(find_runs([tmp_path]), AreaSettings()), tmp_path / "out")
    assert len(set(paths)) == 6
    assert all(path.parent == tmp_path / "out" and path.stat().st_size for path in paths)


def test_no_robustness_anywhere_is_drawn(tmp_path: Path) -> None:
    zero = make_point().accuracy.of(0, 10)
    append_point(tmp_path, make_point(robust_accuracy={"linf-8/255": zero}, accuracy=zero))
    assert save_plot(compare(find_runs([tmp_path]), AreaSettings()), tmp_path)


def test_without_matplotlib_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'robust-tuning\[plots\]'"):
        save_plot([], tmp_path)
