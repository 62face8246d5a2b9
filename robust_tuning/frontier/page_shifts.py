"""What the report shows of distribution shifts, as plain JSON values."""

from math import isfinite, nan
from typing import Any

from robust_tuning.frontier.measure import Measure
from robust_tuning.frontier.shift_measures import worst_group
from robust_tuning.frontier.shift_panel import MeasuredPoint, ShiftCurve, ShiftPanel

Record = dict[str, Any]

_DERIVED = (
    "mean",
    "worst",
    "excess_error",
    "effective_robustness",
    "mce",
    "ece/clean",
    "ece/shifted",
)


def shift_record(panel: ShiftPanel) -> Record:
    """One shift: per strategy its measures at its best point, and all points for the plot."""
    return {
        "title": panel.title,
        "benchmark": panel.conditions.benchmark,
        "shift": panel.conditions.shift,
        "label": panel.label,
        "examples": panel.examples,
        "confidence": panel.settings.confidence,
        "groups": list(panel.layout.groups),
        "line": _line(panel),
        "notes": list(panel.notes),
        "curves": [_curve(panel, curve) for curve in panel.curves],
    }


def _line(panel: ShiftPanel) -> Record | None:
    line = panel.line
    if line is None:
        return None
    return {
        "slope": line.slope.value,
        "intercept": line.intercept.value,
        "equation": line.equation,
        "r_squared": measure_record(line.r_squared),
        "points": line.points,
    }


def _curve(panel: ShiftPanel, curve: ShiftCurve) -> Record:
    best, confidence = curve.best, panel.settings.confidence
    clean = Measure.of_proportion(best.point.accuracy, confidence)
    derived = {name: best.measures[name] for name in _DERIVED if name in best.measures}
    groups = {name: best.measures[f"group/{name}"] for name in panel.layout.groups}
    found = curve.correlation
    return {
        "strategy": curve.strategy,
        "step": best.point.step,
        "clean": measure_record(clean),
        "measures": {name: measure_record(measure) for name, measure in derived.items()},
        "groups": {name: measure_record(measure) for name, measure in groups.items()},
        "worst_group": worst_group(panel.layout, best.measures),
        "pearson": measure_record(found.pearson) if found else None,
        "runs": [[_point(measured) for measured in points] for points in curve.trajectories],
    }


def _point(measured: MeasuredPoint) -> Record:
    point, mean = measured.point, measured.measures["mean"]
    return {
        "run": point.run,
        "step": point.step,
        "clean": measure_record(Measure.of_proportion(point.accuracy)),
        "mean": measure_record(mean),
    }


def measure_record(measure: Measure) -> list[float | None]:
    """Value and both ends of its interval, None for what is not known, and n."""
    ends = measure.interval or (nan, nan)
    shown = [round(number, 5) if isfinite(number) else None for number in (measure.value, *ends)]
    return [*shown, measure.n]
