"""What the report shows of runs and comparisons, as plain JSON values."""

from collections.abc import Mapping, Sequence
from typing import Any

from robust_tuning.frontier.comparison import Comparison, Curve, Panel
from robust_tuning.frontier.pareto_frontier import Conditions
from robust_tuning.frontier.point import AttackIdentity, Estimate, FrontierPoint
from robust_tuning.frontier.radius import radius
from robust_tuning.frontier.store import Run
from robust_tuning.frontier.verdict import Difference, Verdict

Record = dict[str, Any]
Verdicts = Mapping[tuple[Conditions, str], Verdict]


class PointTable:
    """Every point once, so that curves name points by their places.

    Args:
        runs: Whose points they are.
        confidence: Of the intervals.
    """

    def __init__(self, runs: Sequence[Run], confidence: float) -> None:
        self.records: list[Record] = []
        self._places: dict[int, int] = {}
        for number, run in enumerate(runs):
            for point in run.points:
                self._places[id(point)] = len(self.records)
                self.records.append({"run": number, **_point(point, confidence)})

    def places(self, points: Sequence[FrontierPoint]) -> list[int]:
        """Where points stand that came from the very runs of this table."""
        return [self._places[id(point)] for point in points]


def comparison_record(comparison: Comparison, verdicts: Verdicts, table: PointTable) -> Record:
    """One comparison: its conditions, and per threat the strategies and the verdict."""
    conditions, settings = comparison.conditions, comparison.settings
    return {
        "title": comparison.title,
        "benchmark": conditions.benchmark,
        "backbone": conditions.backbone,
        "split": conditions.split,
        "attack": {"label": comparison.attack_label, **attack_record(comparison.attack)},
        "examples": comparison.examples,
        "definition": settings.definition,
        "interpolation": settings.interpolation,
        "reference": list(settings.reference),
        "confidence": settings.confidence,
        "replicates": settings.replicates,
        "panels": [
            _panel(panel, verdicts.get((conditions, panel.threat)), table, settings.confidence)
            for panel in comparison.panels
        ],
    }


def run_record(run: Run, config: str | None) -> Record:
    """One run: what its points agree in, and its configuration file."""
    first = run.points[0]
    seconds = sum(point.cost.seconds for point in run.points)
    passes = sum(point.cost.forward + point.cost.backward for point in run.points)
    memory = max(point.cost.peak_memory for point in run.points)
    return {
        "name": first.run,
        "folder": str(run.folder),
        "benchmark": first.benchmark,
        "backbone": first.backbone,
        "strategy": first.strategy,
        "arguments": dict(first.strategy_args),
        "objective": first.objective,
        "seed": first.seed,
        "split": first.split,
        "trainable": first.trainable_parameters,
        "total": first.total_parameters,
        "hash": first.config_hash,
        "version": first.code_version,
        "time": [first.time, run.points[-1].time],
        "attack": attack_record(first.attack) if first.attack else None,
        "cost": [seconds, passes, memory],
        "config": config,
    }


def attack_record(attack: AttackIdentity) -> Record:
    """An attack with all its settings."""
    return {
        "name": attack.class_path.rpartition(".")[2],
        "settings": dict(attack.settings),
        "fingerprint": attack.fingerprint,
    }


def _panel(panel: Panel, verdict: Verdict | None, table: PointTable, confidence: float) -> Record:
    found = radius(panel.threat)
    return {
        "threat": panel.threat,
        "radius": None if found is None else (found[0], float(found[1])),
        "curves": [_curve(curve, table, confidence) for curve in panel.curves],
        "verdict": None if verdict is None else _verdict(verdict),
    }


def _curve(curve: Curve, table: PointTable, confidence: float) -> Record:
    frontier = curve.frontier
    counts = [point.trainable_parameters for point in frontier.points]
    most_robust, most_accurate = frontier.members[0], frontier.members[-1]
    robust = (point.robust_accuracy[frontier.threat] for point in (most_robust, most_accurate))
    best_robust, robust_at_best = (estimate_record(e, confidence) for e in robust)
    return {
        "strategy": curve.strategy,
        "runs": [table.places(points) for points in curve.trajectories],
        "members": table.places(frontier.members),
        "area": [round(frontier.area, 5), *(_ends(curve.interval) or (None, None))],
        "note": curve.note,
        "trainable": [min(counts), max(counts)],
        "total": frontier.points[0].total_parameters,
        "best": estimate_record(most_accurate.accuracy, confidence),
        "best_robust": best_robust,
        "robust_at_best": robust_at_best,
    }


def _point(point: FrontierPoint, confidence: float) -> Record:
    cost = point.cost
    return {
        "strategy": point.strategy,
        "seed": point.seed,
        "step": point.step,
        "epoch": point.epoch,
        "accuracy": estimate_record(point.accuracy, confidence),
        "robust": {k: estimate_record(v, confidence) for k, v in point.robust_accuracy.items()},
        "cost": [round(cost.seconds, 2), cost.forward, cost.backward],
        "diagnostics": {threat: dict(found) for threat, found in point.diagnostics.items()},
    }


def estimate_record(estimate: Estimate, confidence: float) -> list[float]:
    """Value, both ends of the interval at this confidence, and n."""
    again = Estimate.of(estimate.successes, estimate.n, confidence)
    return [*(round(number, 5) for number in (again.value, again.low, again.high)), again.n]


def _ends(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else [round(end, 5) for end in interval]


def _verdict(verdict: Verdict) -> Record:
    return {
        "sentence": verdict.sentence,
        "groups": [list(group) for group in verdict.groups],
        "scalars": {
            strategy: [{"key": s.key, "value": s.value, "interval": _ends(s.interval)} for s in row]
            for strategy, row in verdict.scalars.items()
        },
        "definitions": dict(verdict.definitions),
        "differences": [_difference(difference) for difference in verdict.differences],
        "warnings": list(verdict.warnings),
        "notes": list(verdict.notes),
    }


def _difference(difference: Difference) -> Record:
    return {
        "first": difference.first,
        "second": difference.second,
        "value": difference.value,
        "interval": list(difference.interval),
        "called": difference.called,
    }
