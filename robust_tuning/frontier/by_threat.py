"""The points of a run under each threat, and the area that they dominate."""

from collections.abc import Sequence

from robust_tuning.frontier.pareto import dominated_area
from robust_tuning.frontier.point import FrontierPoint


def by_threat(points: Sequence[FrontierPoint]) -> dict[str, list[FrontierPoint]]:
    """By threat, the points that were attacked under it."""
    threats = dict.fromkeys(threat for point in points for threat in point.robust_accuracy)
    return {t: [point for point in points if t in point.robust_accuracy] for t in threats}


def areas(points: Sequence[FrontierPoint]) -> dict[str, float]:
    """Area dominated so far, by threat, as `robust-tuning frontier` defines it."""
    return {
        threat: dominated_area(
            [point.accuracy.value for point in measured],
            [point.robust_accuracy[threat].value for point in measured],
        )
        for threat, measured in by_threat(points).items()
    }
