"""Which shifted accuracies stand beside one another, and everything measured from them."""

from collections.abc import Iterable

from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier.point import FrontierPoint
from robust_tuning.frontier.shift_measurement import PanelMeasurement
from robust_tuning.frontier.shift_outcomes import OutcomeReader
from robust_tuning.frontier.shift_panel import (
    Reference,
    ShiftConditions,
    ShiftPanel,
    ShiftSettings,
)
from robust_tuning.frontier.store import Run

Entry = tuple[Run, FrontierPoint]


def compare_shifts(runs: Iterable[Run], settings: ShiftSettings) -> list[ShiftPanel]:
    """Pool the points of runs by benchmark, backbone, split, shift and its sets, and measure them.

    Where outcomes are missing, derived measures stand without interval and with a note.

    Raises:
        RunError: A run that cannot be read.
        ConfigurationError: The reference has no point at its step.
    """
    groups: dict[ShiftConditions, list[Entry]] = {}
    for run in runs:
        for point in run.points:
            for name in shift_names(point):
                groups.setdefault(ShiftConditions.of(point, name), []).append((run, point))
    candidates = _candidates(settings.reference)
    references = {conditions: _reference(conditions, candidates) for conditions in groups}
    reader = OutcomeReader()
    if settings.replicates:
        for conditions, entries in groups.items():
            for run, point in entries:
                reader.read(run, point)
            reference = references[conditions]
            if settings.reference and reference:
                reader.read(settings.reference.run, reference)
    return [
        PanelMeasurement(conditions, entries, references[conditions], settings, reader).panel()
        for conditions, entries in groups.items()
    ]


def shift_names(point: FrontierPoint) -> list[str]:
    """The shifts of a point whose accuracies are all there."""
    return [
        name
        for name, shift in point.shifts.items()
        if shift.keys and all(key in point.ood_accuracy for key in shift.keys)
    ]


def _candidates(reference: Reference | None) -> list[FrontierPoint]:
    if reference is None:
        return []
    points = [p for p in reference.run.points if reference.step in (None, p.step)]
    if not points:
        steps = ", ".join(str(point.step) for point in reference.run.points) or "none"
        message = (
            f"{reference.run.folder}: no evaluation at step {reference.step} to be the reference "
            f"of mCE; it has {steps}"
        )
        raise ConfigurationError(message)
    return points


def _reference(
    conditions: ShiftConditions, candidates: list[FrontierPoint]
) -> FrontierPoint | None:
    """The most accurate candidate that was measured alike, of whichever backbone."""
    alike = [
        point
        for point in candidates
        if conditions.shift in shift_names(point)
        and ShiftConditions.of(point, conditions.shift)._replace(backbone=conditions.backbone)
        == conditions
    ]
    return max(alike, key=lambda point: point.accuracy.value, default=None)
