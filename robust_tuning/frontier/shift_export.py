"""Shifts as CSV: one file of what was counted, one of what was derived."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from robust_tuning.frontier.export import Row, save_rows
from robust_tuning.frontier.measure import Measure
from robust_tuning.frontier.point import FrontierPoint
from robust_tuning.frontier.shift_panel import MeasuredPoint, ShiftPanel


def save_shift_csv(panels: Sequence[ShiftPanel], folder: Path) -> list[Path]:
    """Write `ood.csv` (a row per point and set) and `ood_summary.csv` (a row per measure).

    A measure of a point has the point's run and step; a correlation has its strategy; the line and
    the correlation over all points have neither. See `shift_measures` for the names. The intervals
    of `ood.csv` are the stored ones, 95 %.

    Args:
        panels: From `compare_shifts`; none gives no file.
        folder: Where the files go; made if it is missing.

    Returns:
        The files written.
    """
    if not panels:
        return []
    written = folder / "ood.csv", folder / "ood_summary.csv"
    save_rows([row for panel in panels for row in _accuracy_rows(panel)], written[0])
    save_rows([row for panel in panels for row in _measure_rows(panel)], written[1])
    return list(written)


def _accuracy_rows(panel: ShiftPanel) -> Iterator[Row]:
    layout = panel.layout
    for measured in _points(panel):
        point = measured.point
        for position, key in enumerate(layout.keys):
            estimate, error = point.ood_accuracy[key], point.calibration.get(key)
            yield {
                **_conditions(panel),
                **_point(point),
                "key": key,
                "group": layout.group_of(position),
                "severity": _or_empty(layout.severity_of(position)),
                "accuracy": estimate.value,
                "n": estimate.n,
                "low": estimate.low,
                "high": estimate.high,
                "ece": error.value if error else "",
                "ece_low": error.low if error else "",
                "ece_high": error.high if error else "",
                "clean_accuracy": point.accuracy.value,
                "clean_n": point.accuracy.n,
            }


def _measure_rows(panel: ShiftPanel) -> Iterator[Row]:
    nowhere = {"run": "", "strategy": "", "seed": "", "step": ""}
    if panel.line:
        line = panel.line
        parts = {
            "line/slope": line.slope,
            "line/intercept": line.intercept,
            "line/r_squared": line.r_squared,
        }
        yield from _rows(panel, nowhere, parts, line.points)
    if panel.correlation:
        found = panel.correlation
        parts = {"pearson": found.pearson, "spearman": found.spearman}
        yield from _rows(panel, nowhere, parts, found.points)
    for curve in panel.curves:
        if curve.correlation:
            found = curve.correlation
            parts = {"pearson": found.pearson, "spearman": found.spearman}
            yield from _rows(panel, {**nowhere, "strategy": curve.strategy}, parts, found.points)
    for measured in _points(panel):
        yield from _rows(panel, _point(measured.point), measured.measures, 1)


def _rows(
    panel: ShiftPanel, of: Mapping[str, str | int], measures: Mapping[str, Measure], points: int
) -> Iterator[Row]:
    reference = panel.reference
    for name, measure in measures.items():
        low, high = measure.interval or ("", "")
        relative = reference is not None and name in ("mce", "relative_mce")
        yield {
            **_conditions(panel),
            **of,
            "measure": name,
            "value": measure.value,
            "n": measure.n,
            "low": low,
            "high": high,
            # Calibration errors are stored with their intervals.
            "confidence": 0.95 if name.startswith("ece/") else panel.settings.confidence,
            "points": points,
            "reference": f"{reference.run}:{reference.step}" if reference and relative else "",
        }


def _points(panel: ShiftPanel) -> Iterator[MeasuredPoint]:
    for curve in panel.curves:
        yield from curve.points


def _conditions(panel: ShiftPanel) -> Row:
    conditions = panel.conditions
    return {
        "benchmark": conditions.benchmark,
        "backbone": conditions.backbone,
        "split": conditions.split,
        "shift": conditions.shift,
        "shift_fingerprint": conditions.fingerprint,
    }


def _point(point: FrontierPoint) -> dict[str, str | int]:
    return {
        "run": point.run,
        "strategy": point.strategy,
        "seed": point.seed,
        "step": point.step,
    }


def _or_empty(value: int | None) -> str | int:
    return "" if value is None else value
