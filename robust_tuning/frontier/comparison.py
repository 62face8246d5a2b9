"""Which points stand beside one another: runs pooled by strategy, under equal conditions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.frontier.outcomes import ExampleOutcomes
from robust_tuning.frontier.pareto import Interpolation, area_definition, check_area
from robust_tuning.frontier.pareto_frontier import Conditions, ParetoFrontier
from robust_tuning.frontier.point import AttackIdentity, FrontierPoint
from robust_tuning.frontier.statistics import check_confidence
from robust_tuning.frontier.store import Run

Entry = tuple[Run, FrontierPoint]


@dataclass(frozen=True, slots=True)
class AreaSettings:
    """How areas and their intervals are made.

    Attributes:
        reference: Accuracy and robust accuracy of the corner that areas are measured from.
        interpolation: What joins neighbouring members of a frontier, see `dominated_area`.
        confidence: Coverage of the intervals, inside (0, 1).
        replicates: Of the bootstrap; 0 for areas without interval.

    Raises:
        ConfigurationError: One of them is not what it says.
    """

    reference: tuple[float, float] = (0.0, 0.0)
    interpolation: Interpolation = "staircase"
    confidence: float = 0.95
    replicates: int = 1000

    def __post_init__(self) -> None:
        check_area(self.reference, self.interpolation)
        check_confidence(self.confidence)
        if self.replicates < 0:
            message = f"replicates is {self.replicates}: expected 0 or more, for example 1000"
            raise ConfigurationError(message)

    @property
    def definition(self) -> str:
        """What the areas are, in one line."""
        return area_definition(self.reference, self.interpolation)


@dataclass(frozen=True, slots=True)
class Curve:
    """All points of one strategy under one threat.

    Attributes:
        strategy: Name of the strategy.
        trajectories: The points of each run, in the order of the run's file.
        frontier: The frontier of them all.
        interval: The area's bootstrap interval.
        note: Why there is no interval; empty where there is one.
    """

    strategy: str
    trajectories: tuple[tuple[FrontierPoint, ...], ...]
    frontier: ParetoFrontier
    interval: tuple[float, float] | None
    note: str


@dataclass(frozen=True, slots=True)
class Panel:
    """The strategies under one threat, by falling area."""

    threat: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured under equal conditions and may therefore stand in one table.

    Attributes:
        conditions: Benchmark, backbone, split and attack.
        attack: The attack of all points.
        settings: How the areas were made.
        panels: One per threat.
    """

    conditions: Conditions
    attack: AttackIdentity
    settings: AreaSettings
    panels: tuple[Panel, ...]

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

    Points without a robust accuracy are left out. Where outcomes are missing or not of the same
    examples, the area stands without interval and with a note.

    Raises:
        RunError: A run that cannot be read.
    """
    groups: dict[Conditions, dict[str, list[Entry]]] = {}
    attacks: dict[Conditions, AttackIdentity] = {}
    for run in runs:
        for point in run.points:
            if point.attack is None or not point.robust_accuracy:
                continue
            conditions = Conditions.of(point)
            attacks.setdefault(conditions, point.attack)
            strategies = groups.setdefault(conditions, {})
            strategies.setdefault(point.strategy, []).append((run, point))
    return [
        Comparison(conditions, attacks[conditions], settings, _panels(strategies, settings))
        for conditions, strategies in groups.items()
    ]


def _panels(strategies: dict[str, list[Entry]], settings: AreaSettings) -> tuple[Panel, ...]:
    panels: dict[str, list[Curve]] = {}
    for strategy, entries in strategies.items():
        for curve in _curves(strategy, entries, settings):
            panels.setdefault(curve.frontier.threat, []).append(curve)
    return tuple(
        Panel(threat, tuple(sorted(curves, key=lambda curve: -curve.frontier.area)))
        for threat, curves in panels.items()
    )


def _curves(strategy: str, entries: list[Entry], settings: AreaSettings) -> list[Curve]:
    """One curve per threat; the outcomes are read once and let go afterwards."""
    outcomes, note = _read_outcomes(entries) if settings.replicates else ([], "no replicates")
    curves = []
    for threat in dict.fromkeys(name for _, point in entries for name in point.robust_accuracy):
        has_threat = [threat in point.robust_accuracy for _, point in entries]
        chosen = [entry for entry, has in zip(entries, has_threat, strict=True) if has]
        frontier = ParetoFrontier.from_points(
            [point for _, point in chosen],
            threat,
            reference=settings.reference,
            interpolation=settings.interpolation,
        )
        interval, why = None, note
        if not note:
            own = [other for other, has in zip(outcomes, has_threat, strict=True) if has]
            interval, why = _interval(frontier, own, settings)
        curves.append(Curve(strategy, _by_run(chosen), frontier, interval, why))
    return curves


def _read_outcomes(entries: list[Entry]) -> tuple[list[ExampleOutcomes], str]:
    try:
        return [run.outcomes(point, shifts=False) for run, point in entries], ""
    except DataError as error:
        return [], str(error)


def _interval(
    frontier: ParetoFrontier, outcomes: Sequence[ExampleOutcomes], settings: AreaSettings
) -> tuple[tuple[float, float] | None, str]:
    try:
        interval = frontier.bootstrap(
            outcomes, replicates=settings.replicates, confidence=settings.confidence
        )
    except DataError as error:
        return None, str(error)
    return interval, ""


def _by_run(entries: list[Entry]) -> tuple[tuple[FrontierPoint, ...], ...]:
    trajectories: dict[Run, list[FrontierPoint]] = {}
    for run, point in entries:
        trajectories.setdefault(run, []).append(point)
    return tuple(tuple(points) for points in trajectories.values())
