"""Figures of OOD accuracy against clean accuracy, one panel per shift.

matplotlib is imported inside the functions: it comes with the extra `plots`.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from robust_tuning.frontier.plots import (
    FAINT,
    FOOT,
    HEAD,
    INK,
    LEFT,
    MARGIN,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    RIGHT,
    ROW,
    file_stem,
    frame,
    save_figures,
    style_of,
)
from robust_tuning.frontier.shift_panel import MeasuredPoint, ShiftPanel
from robust_tuning.frontier.tables import fraction, percent
from robust_tuning.frontier.trend import probit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

# In percent; those that would stand too close to one another are left out.
_TICKS = (50, 10, 90, 1, 99, 0.1, 99.9, 25, 75, 5, 95, 2, 98, 0.5, 99.5, 0.01, 99.99, 35, 65, 15)
_FINER_TICKS = (85, 40, 60, 45, 55, 30, 70, 20, 80)
_NOTE = (
    "mean over the groups of each shift; probit axes; line: least squares through all points; "
    "dashed: equal accuracy"
)


def save_shift_plot(panels: Sequence[ShiftPanel], folder: Path) -> list[Path]:
    """Draw one figure per benchmark, backbone and split, and write it as PNG, SVG and PDF.

    A figure shows clean accuracy from left to right and the mean accuracy under a shift upwards,
    both on the probit scale, where accuracies tend to lie on a line: a panel per shift, a colour
    per strategy, every run's points joined in order of steps, the most accurate point of each
    strategy bold.

    Args:
        panels: From `compare_shifts`; none gives no figure.
        folder: Where the files go, `ood.png`, `.svg` and `.pdf`; several figures have their
            conditions in the names. Made if it is missing.

    Returns:
        The files written.

    Raises:
        ConfigurationError: matplotlib is missing.
    """
    groups: dict[tuple[str, ...], list[ShiftPanel]] = {}
    for panel in panels:
        groups.setdefault(panel.conditions[:3], []).append(panel)
    drawings = {
        file_stem("ood", *where) if len(groups) > 1 else "ood": partial(draw_shifts, group)
        for where, group in groups.items()
    }
    return save_figures(drawings, folder)


def draw_shifts(panels: Sequence[ShiftPanel]) -> "Figure":
    """Draw the shifts of one benchmark, backbone and split side by side."""
    from matplotlib.figure import Figure

    table = ROW * (1.2 + max(len(panel.curves) for panel in panels))
    width, height = PANEL_WIDTH * len(panels), HEAD + PANEL_HEIGHT + MARGIN + table + FOOT
    figure = Figure(figsize=(width, height), facecolor="white")
    strategies = sorted({curve.strategy for panel in panels for curve in panel.curves})
    for position, panel in enumerate(panels):
        left = (PANEL_WIDTH * position + LEFT) / width
        across = (PANEL_WIDTH - LEFT - RIGHT) / width
        bottom = (FOOT + table + MARGIN) / height
        axes = figure.add_axes((left, bottom, across, PANEL_HEIGHT / height))
        _draw_panel(axes, panel, strategies)
        below = figure.add_axes((left, FOOT / height, across, table / height))
        _draw_table(below, panel, strategies)
    conditions = panels[0].conditions
    lines = [
        (0.32, conditions.benchmark, 14, "bold", INK),
        (0.57, f"{conditions.backbone} · {conditions.split}", 9, "normal", INK),
        (height - 0.28, fill(_NOTE, width=int(15 * width)), 7.5, "normal", FAINT),
    ]
    for down, text, size, weight, colour in lines:
        up = 1 - down / height
        figure.text(LEFT / width, up, text, va="center", size=size, weight=weight, color=colour)
    return figure


def _draw_panel(axes: "Axes", panel: ShiftPanel, strategies: list[str]) -> None:
    everything = [_coordinates(panel, curve.points) for curve in panel.curves]
    values = np.concatenate([np.concatenate(pair) for pair in everything])
    margin = 0.05 * max(float(np.ptp(values)), 0.5)
    limits = float(values.min()) - margin, float(values.max()) + margin
    axes.plot(limits, limits, color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)))
    images = max(measured.measures["mean"].n for curve in panel.curves for measured in curve.points)
    under = f"{panel.layout.words} · n = {images:,} images"
    if panel.line:
        slope, intercept = panel.line.slope.value, panel.line.intercept.value
        ends = np.array(limits)
        axes.plot(ends, slope * ends + intercept, color=INK, linewidth=1.1, alpha=0.75)
        share = f"R² {panel.line.r_squared.value:.3f}, {panel.line.points} points"
        under = f"{under}\n{panel.line.equation}, {share}"
    for curve in panel.curves:
        colour, dash = style_of(curve.strategy, strategies)
        for trajectory in curve.trajectories:
            ordered = sorted(trajectory, key=lambda measured: measured.point.step)
            x, y = _coordinates(panel, ordered)
            many = len(ordered) > 200
            axes.plot(
                x,
                y,
                color=colour,
                linestyle=dash,
                alpha=0.25 if many else 0.6,
                linewidth=0.8,
                marker="o",
                markersize=2 if many else 3.2,
                markeredgewidth=0,
                rasterized=many,  # thousands of markers make an SVG that no viewer opens
            )
        x, y = _coordinates(panel, [curve.best])
        axes.plot(x, y, "o", color=colour, markersize=6.5, markeredgecolor="white")
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    axes.set_title(panel.conditions.shift, loc="left", size=10.5, color=INK, pad=27)
    axes.text(0, 1.02, under, transform=axes.transAxes, size=7.5, color=FAINT, va="bottom")
    axes.set_xlabel("clean accuracy", size=9, color=INK)
    what = "robust accuracy under shift" if panel.layout.threat else "accuracy under shift"
    axes.set_ylabel(what, size=9, color=INK)
    axes.yaxis.set_label_coords(-0.13, 0.5)
    ticks = _ticks(limits)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(list(ticks), [f"{name:g}%" for name in ticks.values()])
    frame(axes)


def _ticks(limits: tuple[float, float]) -> dict[float, float]:
    """Percentages by their probits, at least a tenth of the axis apart."""
    chosen: dict[float, float] = {}
    apart = (limits[1] - limits[0]) / 10
    for name in (*_TICKS, *_FINER_TICKS):
        place = float(probit(np.array([name / 100]), 10**9)[0])
        inside = limits[0] <= place <= limits[1]
        if inside and all(abs(place - other) >= apart for other in chosen):
            chosen[place] = name
    return dict(sorted(chosen.items()))


def _coordinates(panel: ShiftPanel, points: Sequence[MeasuredPoint]) -> tuple[Floats, Floats]:
    """Clean and shifted accuracies as probits, moved inwards as those of the line."""
    clean = [measured.point.accuracy for measured in points]
    keys = panel.layout.keys
    judged = [sum(measured.point.ood_accuracy[key].n for key in keys) for measured in points]
    shifted = np.array([measured.measures["mean"].value for measured in points])
    x = probit(np.array([e.value for e in clean]), np.array([e.n for e in clean]))
    return x, probit(shifted, np.array(judged))


def _draw_table(axes: "Axes", panel: ShiftPanel, strategies: list[str]) -> None:
    """The legend: a row per strategy with its accuracy under shift and its correlation."""
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(len(panel.curves) + 0.5, -0.7)
    heads = (
        (0.1, "strategy", "left"),
        (0.66, "mean % at best", "right"),
        (0.99, "Pearson", "right"),
    )
    for x, text, side in heads:
        axes.text(x, -0.2, text, size=8, color=FAINT, va="center", ha=side)
    axes.axhline(0.3, color="#D8D8D8", linewidth=0.8)
    for row, curve in enumerate(panel.curves, start=1):
        colour, dash = style_of(curve.strategy, strategies)
        axes.plot([0.0, 0.075], [row, row], color=colour, linestyle=dash, linewidth=2.4)
        axes.text(0.1, row, curve.strategy, size=8.5, color=INK, va="center")
        mean = " ".join(percent(curve.best.measures["mean"]))
        axes.text(0.66, row, mean, size=8, color=INK, va="center", ha="right")
        if curve.correlation:
            found = " ".join(fraction(curve.correlation.pearson))
            axes.text(0.99, row, found, size=8, color=FAINT, va="center", ha="right")
