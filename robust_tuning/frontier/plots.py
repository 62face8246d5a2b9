"""Figures of accuracy against robust accuracy, one panel per threat.

matplotlib is imported inside the functions: it comes with the extra `plots`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier.comparison import Comparison, Curve, Panel
from robust_tuning.frontier.pareto_frontier import ParetoFrontier

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart with any colour vision; without yellow, too pale for lines.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("solid", (0, (5, 1.5)), (0, (1.5, 1.2)))  # once the colours are used up
INK, FAINT = "#222222", "#707070"
# Inches. Every part has its fixed size, so that one strategy and nine look alike.
PANEL_WIDTH, PANEL_HEIGHT, LEFT, RIGHT = 4.6, 3.7, 0.72, 0.2
HEAD, MARGIN, ROW, FOOT = 1.3, 0.62, 0.21, 0.5
_FORMATS = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def save_plot(comparisons: Sequence[Comparison], folder: Path) -> list[Path]:
    """Draw one figure per comparison and write it as PNG, SVG and PDF.

    A figure shows accuracy from left to right and robust accuracy upwards, a panel per threat and
    a colour per strategy: every run's points faint and joined in order of steps, the frontier of
    all of them bold with the intervals of its robust accuracies as a band, below it the areas with
    their intervals.

    Args:
        comparisons: From `compare`; none gives no figure.
        folder: Where the files go, `frontier.png`, `.svg` and `.pdf`; several comparisons have
            their conditions in the names. Made if it is missing.

    Returns:
        The files written.

    Raises:
        ConfigurationError: matplotlib is missing.
    """
    several = len(comparisons) > 1
    drawings = {
        _stem(comparison) if several else "frontier": partial(draw, comparison)
        for comparison in comparisons
    }
    return save_figures(drawings, folder)


def save_figures(drawings: Mapping[str, Callable[[], "Figure"]], folder: Path) -> list[Path]:
    """Write figures as PNG, SVG and PDF under their names, one drawn after the other.

    Raises:
        ConfigurationError: matplotlib is missing.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        message = "no plots without matplotlib: pip install 'robust-tuning[plots]'"
        raise ConfigurationError(message) from error
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    # A fixed salt and no date: the same points give the same file.
    with mpl.rc_context({"svg.hashsalt": "robust-tuning", "font.family": "DejaVu Sans"}):
        for stem, drawing in drawings.items():
            figure = drawing()
            for ending, metadata in _FORMATS.items():
                paths.append(folder / f"{stem}.{ending}")
                figure.savefig(paths[-1], dpi=160, metadata=metadata)
    return paths


def draw(comparison: Comparison) -> "Figure":
    """Draw one comparison; the figure belongs to no window and to no global state."""
    from matplotlib.figure import Figure

    panels = comparison.panels
    table = ROW * (1.2 + max(len(panel.curves) for panel in panels))
    width = PANEL_WIDTH * len(panels)
    height = HEAD + PANEL_HEIGHT + MARGIN + table + FOOT
    figure = Figure(figsize=(width, height), facecolor="white")
    strategies = sorted({curve.strategy for panel in panels for curve in panel.curves})
    for position, panel in enumerate(panels):
        left = (PANEL_WIDTH * position + LEFT) / width
        across = (PANEL_WIDTH - LEFT - RIGHT) / width
        bottom = (FOOT + table + MARGIN) / height
        axes = figure.add_axes((left, bottom, across, PANEL_HEIGHT / height))
        _draw_panel(axes, panel, strategies)
        below = figure.add_axes((left, FOOT / height, across, table / height))
        _draw_areas(below, panel, strategies, comparison.settings.confidence)
    _draw_words(figure, comparison, width, height)
    return figure


def _draw_words(figure: "Figure", comparison: Comparison, width: float, height: float) -> None:
    conditions = comparison.conditions
    lines = [
        (0.32, conditions.benchmark, 14, "bold", INK),
        (0.57, f"{conditions.backbone} · {conditions.split}", 9, "normal", INK),
        (0.77, f"{comparison.attack_label} · {comparison.examples}", 9, "normal", FAINT),
    ]
    for down, text, size, weight, colour in lines:
        height_up = 1 - down / height
        figure.text(
            LEFT / width, height_up, text, va="center", size=size, weight=weight, color=colour
        )
    definition = fill(comparison.settings.definition, width=int(15 * width))
    figure.text(LEFT / width, 0.3 / height, definition, size=7.5, color=FAINT, va="center")


def _draw_panel(axes: "Axes", panel: Panel, strategies: list[str]) -> None:
    points = [point for curve in panel.curves for point in curve.frontier.points]
    right = max(point.accuracy.value for point in points)
    top = max(point.robust_accuracy[panel.threat].value for point in points)
    axes.set_xlim(0, min(1.0, max(right, 0.05) * 1.04))
    axes.set_ylim(0, min(1.0, max(top, 0.01) * 1.08))
    for curve in panel.curves:
        _draw_trajectories(axes, curve, strategies)
    for curve in reversed(panel.curves):  # the largest area on top
        _draw_frontier(axes, curve.frontier, *style_of(curve.strategy, strategies))
    axes.set_title(panel.threat, loc="left", size=10.5, color=INK, pad=6)
    axes.set_xlabel("accuracy", size=9, color=INK)
    axes.set_ylabel("robust accuracy", size=9, color=INK)
    axes.yaxis.set_label_coords(-0.12, 0.5)  # clear of the widest tick labels, alike in all panels
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")
    frame(axes)


def frame(axes: "Axes") -> None:
    """Faint axes and a fainter grid, so that the data stand out."""
    axes.tick_params(labelsize=8, color="#B0B0B0", labelcolor=FAINT, length=3)
    axes.grid(color="#ECECEC", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#B0B0B0")


def _draw_trajectories(axes: "Axes", curve: Curve, strategies: list[str]) -> None:
    """All runs of a strategy as one line, broken by a NaN between two runs."""
    x, y = [], []
    for points in curve.trajectories:
        ordered = sorted(points, key=lambda point: point.step)
        x += [*(point.accuracy.value for point in ordered), np.nan]
        y += [*(point.robust_accuracy[curve.frontier.threat].value for point in ordered), np.nan]
    colour, _ = style_of(curve.strategy, strategies)
    many = len(curve.frontier.points) > 200
    axes.plot(
        x,
        y,
        color=colour,
        alpha=0.12 if many else 0.35,
        linewidth=0.7,
        marker="o",
        markersize=1.6 if many else 2.4,
        markeredgewidth=0,
        rasterized=many,  # thousands of markers make an SVG that no viewer opens
    )


def _draw_frontier(axes: "Axes", frontier: ParetoFrontier, colour: str, dash: object) -> None:
    """The members, joined as the area is measured and continued to its reference."""
    x = [point.accuracy.value for point in frontier.members]
    y = [point.robust_accuracy[frontier.threat].value for point in frontier.members]
    low, floor = frontier.reference
    staircase = frontier.interpolation == "staircase"
    # "steps-pre": a member's robust accuracy holds from the member before it up to the member.
    drawstyle = "steps-pre" if staircase else "default"
    estimates = [point.robust_accuracy[frontier.threat] for point in frontier.members]
    axes.fill_between(
        [min(low, x[0]), *x],
        [estimate.low for estimate in (estimates[0], *estimates)],
        [estimate.high for estimate in (estimates[0], *estimates)],
        step="pre" if staircase else None,
        color=colour,
        alpha=0.1,
        linewidth=0,
    )
    ends = ([min(low, x[0]), x[0]], [y[0], y[0]]), ([x[-1], x[-1]], [y[-1], min(floor, y[-1])])
    for end_x, end_y in ends:
        axes.plot(end_x, end_y, color=colour, linewidth=0.9, linestyle=dash)
    axes.plot(x, y, color=colour, linewidth=2.2, linestyle=dash, drawstyle=drawstyle)
    axes.plot(x, y, "o", color=colour, markersize=4.8, markeredgecolor="white", markeredgewidth=0.7)


def _draw_areas(axes: "Axes", panel: Panel, strategies: list[str], confidence: float) -> None:
    """The legend: a row per strategy with its colour, its area and the area's interval."""
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(len(panel.curves) + 0.5, -0.7)
    axes.text(0.1, -0.2, "strategy", size=8, color=FAINT, va="center")
    axes.text(0.66, -0.2, "area", size=8, color=FAINT, va="center", ha="right")
    interval = f"{100 * confidence:g}% interval"
    axes.text(0.99, -0.2, interval, size=8, color=FAINT, va="center", ha="right")
    axes.axhline(0.3, color="#D8D8D8", linewidth=0.8)
    for row, curve in enumerate(panel.curves, start=1):
        colour, dash = style_of(curve.strategy, strategies)
        axes.plot([0.0, 0.075], [row, row], color=colour, linestyle=dash, linewidth=2.4)
        axes.text(0.1, row, curve.strategy, size=8.5, color=INK, va="center")
        area = f"{curve.frontier.area:.3f}"
        axes.text(0.66, row, area, size=8.5, color=INK, va="center", ha="right")
        ends = "unknown" if curve.interval is None else "[{:.3f}, {:.3f}]".format(*curve.interval)
        axes.text(0.99, row, ends, size=8.5, color=FAINT, va="center", ha="right")


def style_of(strategy: str, strategies: list[str]) -> tuple[str, object]:
    """The colour of a strategy among all those of a figure, and its dashes."""
    turn, position = divmod(strategies.index(strategy), len(COLOURS))
    return COLOURS[position], DASHES[turn % len(DASHES)]


def _stem(comparison: Comparison) -> str:
    return file_stem("frontier", *map(str, comparison.conditions))


def file_stem(*words: str) -> str:
    """A file's name made of words that may hold anything."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", "-".join(words))
