"""A derived number with what it is of, and its interval where one is known."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from robust_tuning.frontier.point import Estimate
from robust_tuning.frontier.statistics import basic_intervals

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measure:
    """A number computed from several proportions: a mean, a difference, a slope.

    Attributes:
        value: The number.
        n: Of how many different images.
        interval: Lower and upper end; None where single examples are not known.
    """

    value: float
    n: int
    interval: tuple[float, float] | None = None

    @classmethod
    def of_proportion(cls, estimate: Estimate, confidence: float = 0.95) -> Self:
        """One plain proportion, with Wilson's interval."""
        again = Estimate.of(estimate.successes, estimate.n, confidence)
        return cls(again.value, again.n, (again.low, again.high))


def measure_all(
    values: Floats,
    n: int,
    samples: Floats | None,
    *,
    confidence: float = 0.95,
    bounds: tuple[Floats | float, Floats | float] = (-np.inf, np.inf),
) -> list[Measure]:
    """Numbers with the basic bootstrap intervals of their replicates.

    Where taking the bias off would leave a number outside, its interval reaches up to it.

    Args:
        values: float64 (M,), the numbers.
        n: Of how many different images.
        samples: The replicates, float64 (M, replicates). Those in which a number is not defined,
            NaN or infinite, are left out; None, or none that is left, gives no interval.
        confidence: Coverage, inside (0, 1).
        bounds: Between which values the numbers lie by their nature, one or M each.
    """
    if samples is None or not samples.size:
        return [Measure(float(value), n) for value in values]
    samples = np.where(np.isfinite(samples), samples, np.nan)
    known: NDArray[np.bool_] = np.asarray(np.isfinite(samples).any(axis=1))
    ends = np.full((2, len(values)), np.nan)
    ends[:, known] = basic_intervals(values[known], samples[known], confidence)
    low, high = np.clip(ends, *bounds)
    low, high = np.minimum(low, values), np.maximum(high, values)
    return [
        Measure(float(value), n, (float(lower), float(upper)) if is_known else None)
        for value, lower, upper, is_known in zip(values, low, high, known, strict=True)
    ]
