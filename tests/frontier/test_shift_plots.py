import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import find_runs
from robust_tuning.frontier.plots import style_of
from robust_tuning.frontier.shift_comparison import compare_shifts
from robust_tuning.frontier.shift_panel import ShiftPanel, ShiftSettings
from robust_tuning.frontier.shift_plots import draw_shifts, save_shift_plot
from tests.frontier.synthetic_shifts import write_shifted_run

pytest.importorskip("matplotlib")

STRATEGIES = ["BitFit", "LoRA"]


def panels_of(folder: Path, **settings: object) -> list[ShiftPanel]:
    chosen = {"examples": 100, "steps": (0, 100, 300), "severities": (3,), **settings}
    for strategy in STRATEGIES:
        write_shifted_run(folder / strategy, strategy, **chosen)  # type: ignore[arg-type]  # named by the tests
    return compare_shifts(find_runs([folder]), ShiftSettings(replicates=10))


def test_the_files_are_of_three_formats_and_reproducible(tmp_path: Path) -> None:
    panels = panels_of(tmp_path / "runs")
    png, svg, pdf = save_shift_plot(panels, tmp_path / "out")
    assert [path.name for path in (png, svg, pdf)] == ["ood.png", "ood.svg", "ood.pdf"]
    assert ET.parse(svg).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    again = save_shift_plot(panels, tmp_path / "again")
    assert [path.read_bytes() for path in again] == [p.read_bytes() for p in (png, svg, pdf)]


def test_points_line_and_diagonal_stand_on_the_probit_scale(tmp_path: Path) -> None:
    panels = panels_of(tmp_path)
    axes = draw_shifts(panels).axes[0]
    panel = panels[0]
    diagonal, line, *rest = axes.lines
    assert (np.asarray(diagonal.get_xdata()) == np.asarray(diagonal.get_ydata())).all()
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert panel.line is not None
    assert y == pytest.approx(panel.line.slope.value * x + panel.line.intercept.value)
    for position, curve in enumerate(panel.curves):
        trajectory, best = rest[2 * position : 2 * position + 2]
        clean = [np.clip(p.point.accuracy.value, 0.005, 0.995) for p in curve.points]
        assert np.asarray(trajectory.get_xdata()) == pytest.approx(norm.ppf(clean))
        assert trajectory.get_color() == style_of(curve.strategy, STRATEGIES)[0]
        mean = curve.best.measures["mean"].value
        assert np.asarray(best.get_ydata()) == pytest.approx([norm.ppf(mean)])


def test_ticks_are_percentages_at_their_probits(tmp_path: Path) -> None:
    figure = draw_shifts(panels_of(tmp_path))
    for axes in figure.axes[::2]:
        for axis in (axes.xaxis, axes.yaxis):
            words = [label.get_text() for label in axis.get_ticklabels()]
            assert 4 <= len(words) <= 11
            assert "50%" in words
            places = [norm.ppf(float(word.removesuffix("%")) / 100) for word in words]
            assert list(axis.get_ticklocs()) == pytest.approx(places)


def test_every_panel_says_what_it_is(tmp_path: Path) -> None:
    panels = panels_of(tmp_path)
    figure = draw_shifts(panels)
    assert {"caltech256", "vit_base_patch16_224 #1a2b3c · validation"} < {
        text.get_text() for text in figure.texts
    }
    titles = [axes.get_title(loc="left") for axes in figure.axes[::2]]
    assert titles == ["corruptions", "domain"]
    for axes, table, panel in zip(figure.axes[::2], figure.axes[1::2], panels, strict=True):
        (under,) = [text.get_text() for text in axes.texts]
        assert panel.line is not None
        assert panel.line.equation in under
        assert f"R² {panel.line.r_squared.value:.3f}, 6 points" in under
        assert set(STRATEGIES) < {text.get_text() for text in table.texts}


def test_few_points_and_attacked_images_are_drawn(tmp_path: Path) -> None:
    panel = panels_of(tmp_path, steps=(0,))[0]
    assert panel.line is None
    attacked = replace(panel, layout=replace(panel.layout, threat="linf-1/255"))
    axes = draw_shifts([attacked]).axes[0]
    assert axes.get_ylabel() == "robust accuracy under shift"
    assert "probit(OOD)" not in axes.texts[0].get_text()


def test_several_benchmarks_have_their_own_files(tmp_path: Path) -> None:
    panels = panels_of(tmp_path / "a") + panels_of(tmp_path / "b", benchmark="x/y z")
    names = [path.name for path in save_shift_plot(panels, tmp_path / "out")]
    assert len(set(names)) == 6
    assert all(name.startswith(("ood-caltech256-", "ood-x-y-z-")) for name in names)


def test_no_panel_gives_no_file_and_no_matplotlib_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert save_shift_plot([], tmp_path) == []
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'robust-tuning\[plots\]'"):
        save_shift_plot([], tmp_path)
