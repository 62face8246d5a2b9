"""Differences between strategies with intervals that hold all at once, and what they separate."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil, isinf, log10
from statistics import NormalDist

import numpy as np

from robust_tuning.frontier.scalars import Floats
from robust_tuning.frontier.verdict import Difference

# The chance that the number of examples given is enough, if the difference is the one measured.
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Comparisons:
    """All differences, and how wide the correction for their number made the intervals.

    Attributes:
        differences: Of every two strategies.
        critical: Half the width of each interval in standard errors.
    """

    differences: tuple[Difference, ...]
    critical: float


def all_differences(
    names: Sequence[str], areas: Floats, samples: Floats, confidence: float
) -> Comparisons:
    """Simultaneous intervals of the differences between every two of several areas.

    By the studentised maximum of the bootstrap (Westfall and Young 1993, "Resampling-based
    multiple testing"): each difference is `d ± c se`, with its bias taken off as in
    `basic_interval`, and `c` so large that in a share `confidence` of the replicates no difference
    at all is further from its mean. It needs neither normality nor independence, and it is never
    wider than Bonferroni's correction by more than the noise of the replicates.

    A difference that is the same in all replicates keeps an interval of no width. One that its own
    bias takes past zero has an interval that reaches from there to the value measured.

    Args:
        names: Of K strategies, by falling area.
        areas: float64 (K,).
        samples: float64 (K, replicates), paired.
        confidence: With which all intervals hold, inside (0, 1).
    """
    pairs = np.array(list(combinations(range(len(names)), 2)), dtype=int).reshape(-1, 2)
    if not len(pairs):
        return Comparisons((), 0.0)
    left, right = pairs.T
    value, again = areas[left] - areas[right], samples[left] - samples[right]
    mean = again.mean(axis=1)
    deviation = np.abs(again - mean[:, None])
    error = np.sqrt((deviation**2).mean(axis=1))
    # Rounding leaves a trace of spread where there is none.
    error[error < 1e-12] = 0.0
    studentised = deviation / np.where(error > 0, error, np.inf)[:, None]
    critical = float(np.quantile(studentised.max(axis=0), confidence))
    centre = 2 * value - mean
    low = np.minimum(centre - critical * error, value)
    high = np.maximum(centre + critical * error, value)
    return Comparisons(
        tuple(
            Difference(names[i], names[j], float(d), (float(a), float(b)), bool(a > 0))
            for i, j, d, a, b in zip(left, right, value, low, high, strict=True)
        ),
        critical,
    )


def groups_of(names: Sequence[str], called: Collection[tuple[str, str]]) -> list[tuple[str, ...]]:
    """The largest groups in which no difference is called; one name can be in several.

    That is how a compact letter display is made (Piepho 2004, "An algorithm for a letter-based
    representation of all-pairwise comparisons"): two strategies share a group exactly if their
    difference is not called.

    Args:
        names: By falling area.
        called: The pairs that can be told apart.

    >>> groups_of("ABC", [("A", "C")])
    [('A', 'B'), ('B', 'C')]
    """
    place = {name: position for position, name in enumerate(names)}
    groups = {frozenset(names)}
    for first, second in called:
        torn = {group for group in groups if first in group and second in group}
        parts = {group - {name} for group in torn for name in (first, second)}
        groups = (groups - torn) | parts
        groups = {group for group in groups if not any(group < other for other in groups)}
    ordered = [tuple(sorted(group, key=place.__getitem__)) for group in groups]
    return sorted(ordered, key=lambda group: [place[name] for name in group])


def more_examples(
    difference: float, samples: Floats, of_examples: Floats, examples: int, critical: float
) -> float:
    """How many more examples would have told two strategies apart.

    The variance of their difference is `S + E n/m` with `m` examples in place of `n`, where `S` is
    the part of the seeds. Sought is the `m` at which `d` is `c` standard errors and as many more
    as it takes for a chance of 80 %: `d = (c + 0.84) sqrt(S + E n/m)`.

    Args:
        difference: The one measured, `d`.
        samples: Its replicates, (replicates,).
        of_examples: Those in which the examples alone were drawn anew, (replicates,).
        examples: How many were measured, `n`.
        critical: `c` of `Comparisons`.

    Returns:
        A number of examples on top of `n`, at least 0; infinite if no number would do: the
        difference is zero, or the seeds alone scatter too much.
    """
    total, own = float(samples.var()), float(of_examples.var())
    wanted = (max(difference, 0.0) / (critical + NormalDist().inv_cdf(POWER))) ** 2
    left = wanted - max(0.0, total - own)
    return max(0.0, examples * (own / left - 1)) if left > 0 else float("inf")


def rounded_up(count: float) -> str:
    """A number of examples with two digits that mean something.

    >>> rounded_up(7), rounded_up(1234.5), rounded_up(2_000_000.0)
    ('7', '1,300', '2,000,000')
    """
    if isinf(count):
        return "no number of"
    unit = 10 ** max(0, int(log10(max(count, 1))) - 1)
    return f"{ceil(count / unit) * unit:,}"
