"""The one sentence that answers which strategy to take."""

from collections.abc import Sequence

import numpy as np

from robust_tuning.frontier.comparison import AreaSettings, Curve, Panel
from robust_tuning.frontier.differences import POWER, Comparisons, more_examples, rounded_up
from robust_tuning.frontier.scalars import AREA
from robust_tuning.frontier.verdict import Difference


def recommendation(panel: Panel, found: Comparisons, complete: bool, settings: AreaSettings) -> str:
    """The strategy to take and the evidence, or that the data cannot tell and what would.

    Args:
        panel: Of which strategies.
        found: Their differences.
        complete: Whether no strategy is missing among them for want of an interval.
        settings: How they were made.
    """
    best, *others = panel.curves
    area = f"area {_ends(best.frontier.area, best.interval)}"
    if not others:
        return f"{best.strategy} alone was measured, {area}: there is nothing to compare it with."
    if not complete:
        return (
            f"The data cannot tell which is best: {best.strategy} has the largest {area}, but not "
            "every difference has an interval; the notes say why."
        )
    own = [one for one in found.differences if one.first == best.strategy]
    level = f"{100 * settings.confidence:g} % interval, corrected for {len(found.differences)}"
    level += " comparisons" if len(found.differences) > 1 else " comparison"
    equals = [one for one in own if not one.called]
    if equals:
        second = next(one for one in others if one.strategy == equals[0].second)
        return (
            f"The data cannot tell {best.strategy} from "
            f"{in_words([one.second for one in equals], 'or')}: {best.strategy} has the largest "
            f"{area}, ahead of {_evidence(equals[0])} ({level}); "
            f"{_remedy(best, second, found.critical)}."
        )
    areas = [curve.frontier.area for curve in panel.curves]
    above = 100 * (best.frontier.area / float(np.mean(areas)) - 1)
    nearest = min(own, key=lambda one: one.interval[0])
    covered = all(one.replicates and one.replicates.seeds != (1, 1) for one in panel.curves)
    scope = "" if covered else "; that holds for the models trained, not for other seeds"
    return (
        f"Take {best.strategy}: its {area} is larger than that of every other and {above:.1f} % "
        f"above the average of the strategies, winner included; the closest "
        f"is {_evidence(nearest)} ({level}){scope}."
    )


def in_words(names: Sequence[str], last: str) -> str:
    """Names in a sentence, the first few of many.

    >>> in_words(["A", "B", "C"], "or"), in_words(["A"], "and")
    ('A, B or C', 'A')
    """
    if len(names) > 8:
        return f"{', '.join(names[:7])} {last} {len(names) - 7} more"
    return f" {last} ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _evidence(difference: Difference) -> str:
    return f"{difference.second} by {_ends(difference.value, difference.interval)}"


def _ends(value: float, interval: tuple[float, float] | None) -> str:
    return (
        f"{value:.3f}" if interval is None else "{:.3f} [{:.3f}, {:.3f}]".format(value, *interval)
    )


def _remedy(best: Curve, second: Curve, critical: float) -> str:
    one, other = best.replicates, second.replicates
    if one is None or other is None:
        return "evaluate both again to know how many examples would"
    count = more_examples(
        best.frontier.area - second.frontier.area,
        one.samples[AREA] - other.samples[AREA],
        one.area_of_examples - other.area_of_examples,
        one.examples,
        critical,
    )
    if np.isinf(count):
        if best.frontier.area == second.frontier.area:
            return "no number of examples would separate equal areas"
        return "more examples alone would not, as the seeds scatter too much: train more seeds"
    return (
        f"about {rounded_up(count)} examples more would, with a chance of {100 * POWER:.0f} % "
        "if that is the true difference"
    )
