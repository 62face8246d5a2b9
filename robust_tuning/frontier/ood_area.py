"""The area with the mean accuracy under shift in place of robust accuracy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from robust_tuning.frontier.evaluations import Evaluation
from robust_tuning.frontier.pareto import (
    Interpolation,
    Normalisation,
    areas_of_sorted,
    largest_area,
)
from robust_tuning.frontier.point import FrontierPoint
from robust_tuning.frontier.shift_outcomes import OutcomeReader

Floats = NDArray[np.float64]


def shifts_of(points: Sequence[FrontierPoint]) -> list[tuple[str, ...]]:
    """What identifies the shifts of each point that was measured under some."""
    return [
        (*(shift.fingerprint for shift in point.shifts.values()), *point.ood_accuracy)
        for point in points
        if point.ood_accuracy
    ]


def ood_area(
    points: Sequence[FrontierPoint],
    reference: tuple[float, float],
    interpolation: Interpolation,
    normalise: Normalisation,
) -> float:
    """The area of those points that were measured under shift."""
    points = [point for point in points if point.ood_accuracy]
    accuracy = np.array([point.accuracy.value for point in points])
    shifted = np.array([_mean(point, _accuracies(point)) for point in points])
    area = _areas(accuracy, shifted, reference, interpolation)
    return float(area / largest_area(reference, normalise))


def ood_area_samples(
    members: Sequence[Evaluation],
    reader: OutcomeReader,
    drawn: NDArray[np.bool_] | None,
    replicates: int,
    area: tuple[tuple[float, float], Interpolation, Normalisation],
) -> Floats | None:
    """The area in bootstrap replicates of the images, and of the seeds where there are several.

    Args:
        members: Evaluations of one strategy.
        reader: Which has read them; its draws are paired between all strategies.
        drawn: bool (replicates, members), whose seed was drawn; None where there is one seed.
        replicates: How many.
        area: Reference, interpolation and normalisation.

    Returns:
        float64 (replicates,); None where outcomes are missing or shifts differ.
    """
    places = [place for place, one in enumerate(members) if one.point.ood_accuracy]
    points = [members[place].point for place in places]
    if not points or len(set(shifts_of(points))) > 1 or not reader.has(points):
        return None
    samples = np.empty((2, replicates, len(points)))
    for place, shifted, clean in reader.draw(points, _keys(points[0]), replicates):
        samples[:, :, place] = clean, _mean(points[place], shifted)
    reference, interpolation, normalise = area
    areas = _areas(samples[0], samples[1], reference, interpolation)
    if drawn is not None:
        # As for the area itself: fewer different runs are smaller for no reason of the strategy's.
        clean, shifted = samples * drawn[:, places]
        both = _areas(clean, shifted, reference, interpolation)
        areas = both + (areas.mean() - both.mean())
    return np.asarray(areas / largest_area(reference, normalise))


def _areas(
    accuracy: Floats, shifted: Floats, reference: tuple[float, float], interpolation: Interpolation
) -> Floats:
    order = np.lexsort((shifted, accuracy), axis=-1)
    return areas_of_sorted(
        np.take_along_axis(accuracy, order, axis=-1),
        np.take_along_axis(shifted, order, axis=-1),
        reference,
        interpolation,
    )


def _accuracies(point: FrontierPoint) -> Floats:
    return np.array([point.ood_accuracy[key].value for key in _keys(point)])


def _keys(point: FrontierPoint) -> list[str]:
    shifts = point.shifts.values()
    return [key for shift in shifts for key in shift.keys] or list(point.ood_accuracy)


def _mean(point: FrontierPoint, accuracy: Floats) -> Floats:
    """The mean over shifts of the mean over their sets, (...), from (..., sets)."""
    sizes = [len(shift.keys) for shift in point.shifts.values()] or [accuracy.shape[-1]]
    parts = np.split(accuracy, np.cumsum(sizes)[:-1], axis=-1)
    return np.asarray(np.mean([part.mean(axis=-1) for part in parts], axis=0))
