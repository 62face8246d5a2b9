"""What a reader is shown: tables of strategies, and the summary of one run."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier.comparison import AreaSettings, Comparison, Curve, Panel, compare
from robust_tuning.frontier.judge import judge_all
from robust_tuning.frontier.pareto_frontier import Conditions
from robust_tuning.frontier.plots import save_plot
from robust_tuning.frontier.point import Estimate, FrontierPoint
from robust_tuning.frontier.shift_comparison import compare_shifts
from robust_tuning.frontier.shift_panel import ShiftSettings
from robust_tuning.frontier.shift_plots import save_shift_plot
from robust_tuning.frontier.shift_report import run_block
from robust_tuning.frontier.store import Run
from robust_tuning.frontier.tables import narrow_table, short_fraction, two_lines
from robust_tuning.frontier.verdict import Verdict
from robust_tuning.frontier.verdict_report import answer, evidence

_POOLED = {
    "run": "the points of each run",
    "strategy": "the runs of each strategy, over seeds and settings",
    "all": "all runs",
}


def comparison_tables(
    comparisons: Sequence[Comparison], verdicts: Sequence[Sequence[Verdict]] | None = None
) -> Group:
    """For each benchmark and threat the answer, then strategies by falling area, then its grounds.

    Args:
        comparisons: From `compare`.
        verdicts: From `judge_all`, which is called if they are not given.
    """
    parts: list[RenderableType] = []
    for comparison, of_panels in zip(comparisons, verdicts or judge_all(comparisons), strict=True):
        for panel, verdict in zip(comparison.panels, of_panels, strict=True):
            parts.append(Text(f"{comparison.title} · {panel.threat}", style="underline"))
            parts += [*answer(verdict), _strategy_table(comparison, panel), *_notes(comparison)]
            parts += [Text(), *evidence(panel, verdict), Text()]
    return Group(*parts)


def summarise_run(folder: Path) -> Group:
    """The frontier of one run: its points, its areas, its plot.

    Draws the plot into the run folder if matplotlib is there.

    Args:
        folder: The run folder.

    Returns:
        Something that `rich` prints.

    Raises:
        RunError: The folder holds no readable run.
    """
    run = Run(folder)
    comparisons = compare([run], AreaSettings())
    parts: list[RenderableType] = []
    for conditions in dict.fromkeys(map(Conditions.of, run.points)):
        own = [one for one in comparisons if one.conditions._replace(examples="") == conditions]
        for comparison in own:
            attacked = (curve.trajectories for panel in comparison.panels for curve in panel.curves)
            of_step = {id(p): p for trajectories in attacked for p in trajectories[0]}
            parts += [_run_table(list(of_step.values()), comparison), *_run_areas(comparison)]
        if not own:
            points = [point for point in run.points if Conditions.of(point) == conditions]
            parts.append(_run_table(points, None))
    if not parts:
        parts.append(Text(f"{folder}: no evaluation was stored"))
    if panels := compare_shifts([run], ShiftSettings()):
        parts += [Text(), run_block(panels)]
    if comparisons:
        parts.append(_plot_line(lambda: save_plot(comparisons, folder)))
    if panels:
        parts.append(_plot_line(lambda: save_shift_plot(panels, folder)))
    return Group(*parts)


def _strategy_table(comparison: Comparison, panel: Panel) -> Table:
    level = _level(comparison.settings)
    table = narrow_table(f"areas under {panel.threat}")
    table.add_column("strategy", overflow="fold")
    for name in (
        "runs /\npoints",
        "trainable",
        "best\naccuracy %",
        "best robust\naccuracy %",
        "robust % at\nbest acc.",
        f"area\n{level}",
    ):
        table.add_column(name, justify="right", overflow="fold")  # a number is never cut short
    for curve in panel.curves:
        table.add_row(*_strategy_row(curve, comparison.settings.confidence))
    return table


def _strategy_row(curve: Curve, confidence: float) -> Iterator[Text]:
    threat, points = curve.frontier.threat, curve.frontier.points
    # Members rise in accuracy and fall in robust accuracy, so the extremes stand at the ends.
    most_robust, most_accurate = curve.frontier.members[0], curve.frontier.members[-1]
    yield Text(curve.strategy, style="bold")
    yield Text(f"{len(curve.trajectories)} / {len(points)}")
    yield _parameters(points)
    for estimate in (
        most_accurate.accuracy,
        most_robust.robust_accuracy[threat],
        most_accurate.robust_accuracy[threat],
    ):
        yield two_lines(*_percent(estimate, confidence))
    yield two_lines(*_area(curve))


def _notes(comparison: Comparison) -> Iterator[Text]:
    settings = comparison.settings
    yield Text(f"{comparison.attack_label} · {comparison.examples}", style="dim")
    yield Text(settings.definition, style="dim")
    yield Text(f"normalisation: {settings.normalise} · pooled: {_POOLED[settings.pool]}", "dim")
    drawn = f"{settings.replicates:,} paired bootstrap replicates of the examples for the rest"
    yield Text(f"{_level(settings)}s: Wilson for accuracies, {drawn}", style="dim")


def _run_table(points: Sequence[FrontierPoint], comparison: Comparison | None) -> Table:
    conditions = Conditions.of(points[0])
    frontiers = [panel.curves[0].frontier for panel in comparison.panels] if comparison else []
    words = (points[0].run, conditions.benchmark, conditions.backbone, conditions.split)
    table = narrow_table(" · ".join(words))
    for name in ("step", "accuracy %", *(f"{frontier.threat} %" for frontier in frontiers)):
        table.add_column(Text(name), justify="right", overflow="fold")
    for point in points:
        cells = [str(point.step), " ".join(_percent(point.accuracy))]
        for frontier in frontiers:
            estimate = point.robust_accuracy.get(frontier.threat)
            mark = "*" if any(point is member for member in frontier.members) else " "
            cells.append("" if estimate is None else " ".join(_percent(estimate)) + mark)
        table.add_row(*map(Text, cells))
    return table


def _run_areas(comparison: Comparison) -> Iterator[Text]:
    yield Text(
        f"* on the frontier · {comparison.attack_label} · {comparison.examples}", style="dim"
    )
    for panel in comparison.panels:
        for curve in panel.curves:
            yield Text(f"{panel.threat}: area {' '.join(_area(curve))}")
            if curve.note:
                yield Text(f"no interval: {curve.note}", style="yellow")
    settings = comparison.settings
    yield Text(f"{settings.definition}; bootstrap {_level(settings)}", style="dim")


def _plot_line(draw: Callable[[], list[Path]]) -> Text:
    try:
        paths = draw()
    except ConfigurationError as error:
        return Text(str(error), style="yellow")
    return Text("\n".join(f"plot: {path}" for path in paths))


def _level(settings: AreaSettings) -> str:
    return f"{100 * settings.confidence:g}% interval"


def _percent(estimate: Estimate, confidence: float = 0.95) -> tuple[str, str]:
    again = Estimate.of(estimate.successes, estimate.n, confidence)
    return f"{100 * again.value:.1f}", f"[{100 * again.low:.1f},{100 * again.high:.1f}]"


def _area(curve: Curve) -> tuple[str, str]:
    ends = "" if curve.interval is None else ",".join(map(short_fraction, curve.interval))
    return short_fraction(curve.frontier.area), f"[{ends}]" * bool(ends)


def _parameters(points: Sequence[FrontierPoint]) -> Text:
    counts = [point.trainable_parameters for point in points]
    if min(counts) != max(counts):
        return Text(f"{_short(min(counts))} to\n{_short(max(counts))}")
    share = f"({100 * counts[0] / points[0].total_parameters:.2f}%)"
    return two_lines(_short(counts[0]), share)


def _short(count: int) -> str:
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if count >= unit:
            return f"{count / unit:.1f}{name}"
    return str(count)
