"""Which points stand beside one another: runs pooled by strategy, under equal conditions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Literal, get_args

from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier.apart import apart
from robust_tuning.frontier.evaluations import Evaluation, origin, read_evaluations
from robust_tuning.frontier.pareto import (
    Interpolation,
    Normalisation,
    area_definition,
    check_area,
)
from robust_tuning.frontier.pareto_frontier import Conditions, ParetoFrontier
from robust_tuning.frontier.point import AttackIdentity, FrontierPoint
from robust_tuning.frontier.radius import Radii, contained
from robust_tuning.frontier.replicates import Replicates, Resampling
from robust_tuning.frontier.scalars import AREA
from robust_tuning.frontier.shift_outcomes import OutcomeReader
from robust_tuning.frontier.statistics import basic_interval, check_confidence
from robust_tuning.frontier.store import Run

Pool = Literal["run", "strategy", "all"]
ALL = "all strategies"


@dataclass(frozen=True, slots=True)
class AreaSettings:
    """How areas and their intervals are made.

    Attributes:
        reference: Accuracy and robust accuracy of the corner that areas are measured from.
        interpolation: What joins neighbouring members of a frontier, see `dominated_area`.
        confidence: Coverage of the intervals, inside (0, 1).
        replicates: Of the bootstrap; 0 for areas without interval.
        pool: What one curve is made of: a run, a strategy's runs over seeds and settings, or all.
        normalise: What areas are divided by, see `largest_area`.

    Raises:
        ConfigurationError: One of them is not what it says.
    """

    reference: tuple[float, float] = (0.0, 0.0)
    interpolation: Interpolation = "staircase"
    confidence: float = 0.95
    replicates: int = 1000
    pool: Pool = "strategy"
    normalise: Normalisation = "none"

    def __post_init__(self) -> None:
        check_area(self.reference, self.interpolation, self.normalise)
        if self.pool not in get_args(Pool):
            known = " or ".join(map(repr, get_args(Pool)))
            message = f"pool is {self.pool!r}: expected {known}"
            raise ConfigurationError(message)
        check_confidence(self.confidence)
        if self.replicates < 0:
            message = f"replicates is {self.replicates}: expected 0 or more, for example 1000"
            raise ConfigurationError(message)

    @property
    def definition(self) -> str:
        """What the areas are, in one line."""
        return area_definition(self.reference, self.interpolation, self.normalise)


@dataclass(frozen=True, slots=True)
class Curve:
    """All points of one strategy under one threat; of one run, or of all, if pooled so.

    Attributes:
        strategy: Name of the strategy; with `pool="run"` with that of the run behind.
        trajectories: The points of each run, in the order of the run's file.
        frontier: The frontier of them all.
        interval: The area's bootstrap interval.
        note: Why there is no interval; empty where there is one.
        runs: The folder of each run in `trajectories`, that of the training.
        replicates: Where the interval comes from; None where there is none.
    """

    strategy: str
    trajectories: tuple[tuple[FrontierPoint, ...], ...]
    frontier: ParetoFrontier
    interval: tuple[float, float] | None
    note: str
    runs: tuple[Path, ...] = ()
    replicates: Replicates | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Panel:
    """The strategies under one threat, by falling area.

    Attributes:
        threat: Its name.
        curves: One per strategy.
        radii: The threats that this one contains, itself last, under which all points were
            measured; expected robustness is over them.
    """

    threat: str
    curves: tuple[Curve, ...]
    radii: Radii = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured under equal conditions and may therefore stand in one table.

    Attributes:
        conditions: Benchmark, backbone, split, attack and evaluation examples.
        attack: The attack of all points.
        settings: How the areas were made.
        panels: One per threat.
        apart: Which runs of the same benchmark and backbone do not stand here, and why.
    """

    conditions: Conditions
    attack: AttackIdentity
    settings: AreaSettings
    panels: tuple[Panel, ...]
    apart: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Benchmark, backbone and split in a few words."""
        return f"{self.conditions.benchmark} · {self.conditions.backbone} · {self.conditions.split}"

    @property
    def attack_label(self) -> str:
        """The attack's class, its plain settings and the head of its fingerprint."""
        plain = [f"{k}={v}" for k, v in self.attack.settings.items() if isinstance(v, int | float)]
        name = self.attack.class_path.rpartition(".")[2]
        return f"{name}({', '.join(plain[:4])}) #{self.attack.fingerprint[:8]}"

    def largest(self, count: int) -> "Comparison":
        """The same with the first curves of each panel, for tables and figures."""
        panels = (replace(panel, curves=panel.curves[:count]) for panel in self.panels)
        return replace(self, panels=tuple(panels))

    @property
    def examples(self) -> str:
        """Of how many examples the points are."""
        counts = {
            point.robust_accuracy[panel.threat].n
            for panel in self.panels
            for curve in panel.curves
            for point in curve.frontier.points
        }
        low, high = min(counts), max(counts)
        return f"n = {low:,}" if low == high else f"n = {low:,} to {high:,}"


def compare(runs: Iterable[Run], settings: AreaSettings) -> list[Comparison]:
    """Pool the points of runs by conditions, threat and strategy, and measure their frontiers.

    Points without a robust accuracy are left out. Points of other evaluation examples, or of the
    same with other labels, are in another comparison. Where outcomes are missing, the area stands
    without interval and with a note.

    Raises:
        RunError: A run that cannot be read.
    """
    evaluations, subsets = read_evaluations(runs)
    groups: dict[Conditions, list[Evaluation]] = {}
    for evaluation in evaluations:
        conditions = Conditions.of(evaluation.point, evaluation.examples)
        groups.setdefault(conditions, []).append(evaluation)
    names = {
        conditions: list(dict.fromkeys(origin(one.run).name for one in members))
        for conditions, members in groups.items()
    }
    comparisons = []
    for conditions, members in groups.items():
        attack = members[0].point.attack
        if attack is not None:  # only attacked points are read
            panels = _panels(_pooled(members, settings.pool), settings)
            reasons = apart(conditions, names, subsets)
            comparisons.append(Comparison(conditions, attack, settings, panels, reasons))
    return comparisons


def _pooled(members: list[Evaluation], pool: Pool) -> Mapping[str, list[Evaluation]]:
    """The evaluations of each curve by its name."""
    if pool == "all":
        return {ALL: members}
    pools: dict[str, list[Evaluation]] = {}
    if pool == "strategy":
        for one in members:
            pools.setdefault(one.point.strategy, []).append(one)
        return pools
    for run, group in groupby(members, key=lambda one: one.run):
        some = list(group)
        name = f"{some[0].point.strategy} · {origin(run).name}"
        pools[f"{name} ({run.folder})" if name in pools else name] = some
    return pools


def _panels(pools: Mapping[str, list[Evaluation]], settings: AreaSettings) -> tuple[Panel, ...]:
    everyone = [one for members in pools.values() for one in members]
    radii = _common_radii([one.point for one in everyone])
    reader = OutcomeReader()
    for one in everyone:
        if settings.replicates and one.point.ood_accuracy:
            reader.read(one.run, one.point)
    panels: dict[str, list[Curve]] = {}
    for strategy, members in pools.items():
        for curve in _curves(strategy, members, radii, settings, reader):
            panels.setdefault(curve.frontier.threat, []).append(curve)
    return tuple(
        Panel(threat, tuple(sorted(curves, key=lambda curve: -curve.frontier.area)), radii[threat])
        for threat, curves in panels.items()
    )


def _common_radii(points: Sequence[FrontierPoint]) -> dict[str, Radii]:
    """By threat those that it contains and that no point with it lacks."""
    common: dict[str, set[str]] = {}
    for names in {tuple(point.robust_accuracy) for point in points}:
        for name in names:
            common[name] = common.get(name, set(names)) & set(names)
    return {threat: contained(threat, sorted(names)) for threat, names in common.items()}


def _curves(
    strategy: str,
    members: list[Evaluation],
    radii: Mapping[str, Radii],
    settings: AreaSettings,
    reader: OutcomeReader,
) -> list[Curve]:
    """One curve per threat; the examples are drawn once for all."""
    resampling, note = None, "no replicates"
    if settings.replicates:
        note = next((one.note for one in members if one.note), "")
        resampling = None if note else Resampling.of(members, settings.replicates)
    curves = []
    for threat in dict.fromkeys(name for one in members for name in one.point.robust_accuracy):
        chosen = [one for one in members if threat in one.point.robust_accuracy]
        frontier = ParetoFrontier.from_points(
            [one.point for one in chosen],
            threat,
            reference=settings.reference,
            interpolation=settings.interpolation,
            normalise=settings.normalise,
        )
        replicates = resampling.under(frontier, radii[threat], reader) if resampling else None
        interval = _interval(frontier.area, replicates, settings.confidence)
        trajectories = _by_run(chosen)
        runs = tuple(origin(run) for run in trajectories)
        points = tuple(map(tuple, trajectories.values()))
        curves.append(Curve(strategy, points, frontier, interval, note, runs, replicates))
    return curves


def _interval(
    area: float, replicates: Replicates | None, confidence: float
) -> tuple[float, float] | None:
    if replicates is None:
        return None
    low, high = basic_interval(area, replicates.samples[AREA], confidence)
    return max(low, 0.0), min(high, 1.0)


def _by_run(members: Sequence[Evaluation]) -> Mapping[Run, list[FrontierPoint]]:
    trajectories: dict[Run, list[FrontierPoint]] = {}
    for one in members:
        trajectories.setdefault(one.run, []).append(one.point)
    return trajectories
