"""A derived number with what it is of, and its interval where one is known."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from robust_tuning.frontier.point import Estimate
from robust_tuning.frontier.statistics import basic_interval


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

    @classmethod
    def of_samples(
        cls,
        value: float,
        n: int,
        samples: NDArray[np.float64] | None,
        confidence: float = 0.95,
        bounds: tuple[float, float] = (-np.inf, np.inf),
    ) -> Self:
        """A number with the basic bootstrap interval of its replicates.

        Args:
            value: The number.
            n: Of how many different images.
            samples: The replicates, of any shape (replicates,). Those in which the number is not
                defined are left out; None, or none that is left, gives no interval.
            confidence: Coverage, inside (0, 1).
            bounds: Between which values the number lies by its nature.
        """
        defined = np.empty(0) if samples is None else samples[np.isfinite(samples)]
        if not len(defined):
            return cls(value, n)
        low, high = np.clip(basic_interval(value, defined, confidence), *bounds)
        return cls(value, n, (float(low), float(high)))
