"""The comparison as CSV: one file of areas, one of points."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from robust_tuning.frontier.comparison import Comparison, Curve
from robust_tuning.frontier.files import replace_file
from robust_tuning.frontier.point import Estimate, FrontierPoint

Row = dict[str, str | int | float]


def save_csv(comparisons: Sequence[Comparison], folder: Path) -> list[Path]:
    """Write `areas.csv` (a row per frontier) and `points.csv` (a row per point).

    A point's row has its estimates under the names of Weights & Biases,
    `robust_accuracy/linf-1/255`, with `/n`, `/low` and `/high` behind, and
    `on_frontier/linf-1/255` (1 or 0).

    Args:
        comparisons: From `compare`.
        folder: Where the files go; made if it is missing.

    Returns:
        The two files.
    """
    areas = [row for comparison in comparisons for row in _area_rows(comparison)]
    points = [row for comparison in comparisons for row in _point_rows(comparison)]
    written = folder / "areas.csv", folder / "points.csv"
    save_rows(areas, written[0])
    save_rows(points, written[1])
    return list(written)


def save_rows(rows: list[Row], path: Path) -> None:
    """Write rows as CSV in one piece; a column that a row lacks is left empty."""
    text = io.StringIO()
    columns = dict.fromkeys(name for row in rows for name in row)
    table = csv.DictWriter(text, list(columns), restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    replace_file(path, lambda file: file.write(text.getvalue().encode()))


def _area_rows(comparison: Comparison) -> Iterator[Row]:
    settings = comparison.settings
    for panel in comparison.panels:
        for curve in panel.curves:
            low, high = curve.interval or ("", "")
            yield {
                **conditions_row(comparison),
                "threat": panel.threat,
                **_curve(curve),
                "area": curve.frontier.area,
                "area_low": low,
                "area_high": high,
                "confidence": settings.confidence,
                "replicates": settings.replicates,
                "interpolation": settings.interpolation,
                "pool": settings.pool,
                "normalise": settings.normalise,
                "reference_accuracy": settings.reference[0],
                "reference_robust_accuracy": settings.reference[1],
                "definition": settings.definition,
            }


def _curve(curve: Curve) -> Row:
    frontier = curve.frontier
    most_robust, most_accurate = frontier.members[0], frontier.members[-1]
    trainable = [point.trainable_parameters for point in frontier.points]
    return {
        "strategy": curve.strategy,
        "runs": len(curve.trajectories),
        "points": len(frontier.points),
        "members": len(frontier.members),
        "trainable_parameters_least": min(trainable),
        "trainable_parameters_most": max(trainable),
        **_estimate("best_accuracy", most_accurate.accuracy),
        **_estimate("best_robust_accuracy", most_robust.robust_accuracy[frontier.threat]),
        **_estimate(
            "robust_accuracy_at_best_accuracy", most_accurate.robust_accuracy[frontier.threat]
        ),
    }


def _point_rows(comparison: Comparison) -> Iterator[Row]:
    rows: dict[int, Row] = {}
    for panel in comparison.panels:
        for curve in panel.curves:
            members = set(map(id, curve.frontier.members))
            for point in curve.frontier.points:
                row = rows.setdefault(id(point), {**conditions_row(comparison), **_point(point)})
                row[f"on_frontier/{panel.threat}"] = int(id(point) in members)
    yield from rows.values()


def _point(point: FrontierPoint) -> Row:
    row: Row = {
        "run": point.run,
        "strategy": point.strategy,
        "objective": point.objective,
        "seed": point.seed,
        "step": point.step,
        "epoch": point.epoch,
        "trainable_parameters": point.trainable_parameters,
        "total_parameters": point.total_parameters,
        "config_hash": point.config_hash,
        "code_version": point.code_version,
        "time": point.time,
        "seconds": point.cost.seconds,
        "forward": point.cost.forward,
        "backward": point.cost.backward,
        **_estimate("accuracy", point.accuracy),
    }
    for threat, estimate in point.robust_accuracy.items():
        row |= _estimate(f"robust_accuracy/{threat}", estimate)
    for shift, estimate in point.ood_accuracy.items():
        row |= _estimate(f"ood_accuracy/{shift}", estimate)
    return row


def conditions_row(comparison: Comparison) -> Row:
    """The columns that say under what a comparison was measured."""
    conditions = comparison.conditions
    return {
        "benchmark": conditions.benchmark,
        "backbone": conditions.backbone,
        "split": conditions.split,
        "attack": comparison.attack.class_path,
        "attack_fingerprint": comparison.attack.fingerprint,
        "examples": conditions.examples,
    }


def _estimate(name: str, estimate: Estimate) -> Row:
    return {
        name: estimate.value,
        f"{name}/n": estimate.n,
        f"{name}/low": estimate.low,
        f"{name}/high": estimate.high,
    }
