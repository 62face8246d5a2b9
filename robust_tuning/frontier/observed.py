"""The scalars of a curve as measured, with their intervals."""

from collections.abc import Sequence

import numpy as np

from robust_tuning.frontier.comparison import AreaSettings, Curve, Panel
from robust_tuning.frontier.measure import measure_all
from robust_tuning.frontier.ood_area import ood_area, shifts_of
from robust_tuning.frontier.point import FrontierPoint
from robust_tuning.frontier.radius import Radii
from robust_tuning.frontier.scalars import (
    ABOVE_AVERAGE,
    AREA,
    BEST_SUM,
    EXPECTED,
    OOD_AREA,
    eps_weights,
    expected_robustness,
    of_sorted,
)
from robust_tuning.frontier.verdict import Scalar


def scalars_of_panel(panel: Panel, settings: AreaSettings) -> dict[str, tuple[Scalar, ...]]:
    """By strategy its scalars; those that cannot be had are left out.

    OOD areas are there if all points under shift were measured
    under the same shifts.
    """
    points = [point for curve in panel.curves for point in curve.frontier.points]
    same_shifts = len(set(shifts_of(points))) == 1
    above = above_average(panel.curves, settings.confidence)
    result = {}
    for curve in panel.curves:
        scalars = _scalars(curve, panel.radii, settings)
        if curve.strategy in above:
            scalars.insert(1, above[curve.strategy])
        if same_shifts and shifts_of(curve.frontier.points):
            scalars.append(_ood_scalar(curve, settings))
        result[curve.strategy] = tuple(scalars)
    return result


def above_average(curves: Sequence[Curve], confidence: float) -> dict[str, Scalar]:
    """By how much each area is above the mean area of the strategies, itself included.

    Empty for fewer than two strategies, and where the mean is zero. In the replicates a strategy
    is compared with the mean of the same replicate.
    """
    areas = np.array([curve.frontier.area for curve in curves])
    if len(areas) < 2 or areas.mean() == 0:
        return {}
    values, samples = areas / areas.mean() - 1, None
    known = [curve.replicates.samples[AREA] for curve in curves if curve.replicates is not None]
    if len(known) == len(curves):
        again = np.stack(known)
        with np.errstate(invalid="ignore", divide="ignore"):  # NaN is left out
            samples = again / again.mean(axis=0) - 1
    measures = measure_all(values, 0, samples, confidence=confidence)
    return {
        curve.strategy: Scalar(ABOVE_AVERAGE, measure.value, measure.interval)
        for curve, measure in zip(curves, measures, strict=True)
    }


def _scalars(curve: Curve, radii: Radii, settings: AreaSettings) -> list[Scalar]:
    values = _values(curve.frontier.points, curve.frontier.threat, radii, settings)
    scalars = [Scalar(AREA, curve.frontier.area, curve.interval)]
    return [*scalars, *(_scalar(curve, key, values[key], settings) for key in values)]


def _scalar(curve: Curve, key: str, value: float, settings: AreaSettings) -> Scalar:
    """With its interval where there are replicates of it."""
    samples = None if curve.replicates is None else curve.replicates.samples.get(key)
    (measure,) = measure_all(
        np.array([value]),
        0,
        None if samples is None else samples[None],
        confidence=settings.confidence,
        bounds=(0.0, 2.0 if key == BEST_SUM else 1.0),
    )
    return Scalar(key, value, measure.interval)


def _ood_scalar(curve: Curve, settings: AreaSettings) -> Scalar:
    value = ood_area(
        curve.frontier.points, settings.reference, settings.interpolation, settings.normalise
    )
    return _scalar(curve, OOD_AREA, value, settings)


def _values(
    points: Sequence[FrontierPoint], threat: str, radii: Radii, settings: AreaSettings
) -> dict[str, float]:
    accuracy = np.array([point.accuracy.value for point in points])
    robust = np.array([point.robust_accuracy[threat].value for point in points])
    order = np.lexsort((robust, accuracy))
    values = of_sorted(
        accuracy[order],
        robust[order],
        settings.reference,
        settings.interpolation,
        settings.normalise,
    )
    del values[AREA]
    if radii:
        at_radii = [
            np.array([point.robust_accuracy[name].value for point in points]) for name, _ in radii
        ]
        weights = eps_weights([eps for _, eps in radii])
        values[EXPECTED] = expected_robustness([accuracy, *at_radii], weights)
    return {key: float(value) for key, value in values.items()}
