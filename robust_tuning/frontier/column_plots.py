"""Figures as wide as one column of a paper: a row of axes per threat, one idea per figure.

matplotlib is imported inside the functions: it comes with the extra `plots`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robust_tuning.frontier.comparison import Comparison, Curve, Panel
from robust_tuning.frontier.plots import (
    FAINT,
    INK,
    draw,
    file_stem,
    frame,
    save_figures,
    style_of,
)
from robust_tuning.frontier.point import Estimate, FrontierPoint
from robust_tuning.frontier.radius import radius

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Drawing = Callable[[], "Figure"]
Painter = Callable[["Axes", Sequence[str]], None]

COLUMN_WIDTH = 3.5  # inches, a column of most papers
_MARKERS = "osD^PX*ph"


def save_column_plots(comparisons: Sequence[Comparison], folder: Path) -> list[Path]:
    """Draw the figures of every comparison and write each as PNG, SVG and PDF.

    `steps`: accuracy and robust accuracies during training. `eps`: accuracy against the size of
    the attack. `areas`: areas with their intervals. `parameters`: trainable parameters against
    area. `frontier-THREAT`: where there are several threats, the frontier of each alone.

    Args:
        comparisons: From `compare`; none gives no figure.
        folder: Where the files go; made if it is missing. Several comparisons have their
            conditions in the names.

    Returns:
        The files written.

    Raises:
        ConfigurationError: matplotlib is missing.
    """
    several = len(comparisons) > 1
    drawings = {
        file_stem(name, *(map(str, comparison.conditions) if several else ())): drawing
        for comparison in comparisons
        for name, drawing in _drawings(comparison)
    }
    return save_figures(drawings, folder)


def draw_steps(comparison: Comparison) -> "Figure":
    """Accuracy, and robust accuracy under every threat, against the optimiser's steps."""
    rows: list[tuple[str, Painter]] = [
        ("accuracy", partial(_paint_steps, panel=comparison.panels[0], threat=None))
    ]
    for panel in comparison.panels:
        painter = partial(_paint_steps, panel=panel, threat=panel.threat)
        rows.append((f"robust accuracy, {panel.threat}", painter))
    return _figure(comparison, rows, 1.55)


def draw_eps(comparison: Comparison) -> "Figure":
    """Accuracy against eps, a row per norm, each strategy at its most accurate point."""
    norms: dict[str, list[tuple[float, Panel]]] = {}
    for panel in comparison.panels:
        found = radius(panel.threat)
        if found:
            norms.setdefault(found[0], []).append((float(found[1]), panel))
    rows = [
        (f"accuracy against eps, {norm}", partial(_paint_eps, panels=sorted(panels, key=_radius)))
        for norm, panels in norms.items()
    ]
    return _figure(comparison, rows, 2.3)


def draw_areas(comparison: Comparison) -> "Figure":
    """Every strategy's area as a bar with its interval, a row per threat."""
    rows = [(panel.threat, partial(_paint_areas, panel=panel)) for panel in comparison.panels]
    tallest = max(len(panel.curves) for panel in comparison.panels)
    return _figure(comparison, rows, 0.5 + 0.19 * tallest, legend=False)


def draw_parameters(comparison: Comparison) -> "Figure":
    """Area against trainable parameters, a row per threat."""
    rows = [(panel.threat, partial(_paint_parameters, panel=panel)) for panel in comparison.panels]
    return _figure(comparison, rows, 1.9)


def _drawings(comparison: Comparison) -> Iterator[tuple[str, Drawing]]:
    yield "steps", partial(draw_steps, comparison)
    if any(radius(panel.threat) for panel in comparison.panels):
        yield "eps", partial(draw_eps, comparison)
    yield "areas", partial(draw_areas, comparison)
    yield "parameters", partial(draw_parameters, comparison)
    if len(comparison.panels) > 1:
        for panel in comparison.panels:
            alone = replace(comparison, panels=(panel,))
            yield f"frontier-{panel.threat}", partial(draw, alone)


def _figure(
    comparison: Comparison, rows: Sequence[tuple[str, Painter]], height: float, legend: bool = True
) -> "Figure":
    """Rows of axes under one another with a common legend below them."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    names = sorted({curve.strategy for panel in comparison.panels for curve in panel.curves})
    size = COLUMN_WIDTH, 0.55 + height * len(rows) + legend * 0.16 * -(-len(names) // 3)
    figure = Figure(figsize=size, facecolor="white", layout="constrained")
    words = f"{comparison.title}\n{comparison.attack_label} · {comparison.examples}"
    figure.suptitle(words, x=0.02, ha="left", size=6.5, color=FAINT)
    for axes, (title, paint) in zip(
        figure.subplots(len(rows), 1, squeeze=False)[:, 0], rows, strict=True
    ):
        paint(axes, names)
        axes.set_title(title, loc="left", size=8, color=INK, pad=4)
        frame(axes)
        axes.tick_params(labelsize=7)
    if legend:
        handles = [Line2D([], [], label=name, **_look(name, names)) for name in names]
        figure.legend(
            handles=handles, loc="outside lower center", ncols=3, fontsize=7, frameon=False
        )
    figure.draw_without_rendering()  # laid out once, not again for every format
    figure.set_layout_engine("none")
    return figure


def _paint_steps(axes: "Axes", names: Sequence[str], *, panel: Panel, threat: str | None) -> None:
    for curve in panel.curves:
        steps: list[float] = []
        values: list[float] = []
        for points in curve.trajectories:
            ordered = sorted(points, key=lambda point: point.step)
            # One line with gaps: a line for each of a thousand runs takes ten times as long.
            steps += [*(point.step for point in ordered), nan]
            values += [*(_estimate(point, threat).value for point in ordered), nan]
        many = len(steps) > 200  # thousands of markers make an SVG that no viewer opens
        look = {**_look(curve.strategy, names), "rasterized": many}
        axes.plot(steps, values, **({**look, "alpha": 0.3, "markersize": 1.6} if many else look))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("optimiser steps", size=7, color=INK)
    _in_percent(axes)


def _paint_eps(
    axes: "Axes", names: Sequence[str], *, panels: Sequence[tuple[float, Panel]]
) -> None:
    seen: dict[str, Curve] = {}
    for _, panel in panels:
        for curve in panel.curves:
            seen.setdefault(curve.strategy, curve)
    for strategy, curve in seen.items():
        point = max(curve.frontier.points, key=lambda point: point.accuracy.value)
        radii = [0.0, *(255 * r for r, panel in panels if panel.threat in point.robust_accuracy)]
        found = [point.robust_accuracy.get(panel.threat) for _, panel in panels]
        estimates = [point.accuracy, *(estimate for estimate in found if estimate)]
        values = [estimate.value for estimate in estimates]
        axes.vlines(
            radii,
            [estimate.low for estimate in estimates],
            [estimate.high for estimate in estimates],
            color=style_of(strategy, list(names))[0],
            linewidth=0.8,
        )
        axes.plot(radii, values, **_look(strategy, names))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("eps, in 255ths", size=7, color=INK)
    _in_percent(axes)


def _paint_areas(axes: "Axes", names: Sequence[str], *, panel: Panel) -> None:
    for row, curve in enumerate(panel.curves):
        colour, _ = style_of(curve.strategy, list(names))
        axes.barh(row, curve.frontier.area, height=0.62, color=colour, alpha=0.75)
        if curve.interval:
            axes.plot(curve.interval, [row, row], color=INK, linewidth=1.1, marker="|")
    axes.set_yticks(range(len(panel.curves)), [curve.strategy for curve in panel.curves])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("area", size=7, color=INK)


def _paint_parameters(axes: "Axes", names: Sequence[str], *, panel: Panel) -> None:
    for curve in panel.curves:
        count = max(point.trainable_parameters for point in curve.frontier.points)
        look = {**_look(curve.strategy, names), "linestyle": "none", "markersize": 6}
        if curve.interval:
            axes.vlines(max(count, 1), *curve.interval, color=look["color"], linewidth=1)
        axes.plot([max(count, 1)], [curve.frontier.area], **look)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("trainable parameters", size=7, color=INK)
    axes.set_ylabel("area", size=7, color=INK)


def _look(strategy: str, names: Sequence[str]) -> dict[str, Any]:
    """Colour, dash and marker of a strategy: never told apart by colour alone."""
    colour, dash = style_of(strategy, list(names))
    marker = _MARKERS[names.index(strategy) % len(_MARKERS)]
    return {
        "color": colour,
        "linestyle": dash,
        "linewidth": 1.1,
        "marker": marker,
        "markersize": 3.4,
        "markeredgewidth": 0,
    }


def _estimate(point: FrontierPoint, threat: str | None) -> Estimate:
    return point.accuracy if threat is None else point.robust_accuracy[threat]


def _radius(entry: tuple[float, Panel]) -> float:
    return entry[0]


def _in_percent(axes: "Axes") -> None:
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")
