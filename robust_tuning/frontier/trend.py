"""Clean and OOD accuracies of several points on the probit scale: what a line is fitted to."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from robust_tuning.errors import DataError
from robust_tuning.frontier.measure import Measure

Floats = NDArray[np.float64]

_NORMAL = NormalDist()
_inverse = np.frompyfunc(_NORMAL.inv_cdf, 1, 1)
_cumulative = np.frompyfunc(_NORMAL.cdf, 1, 1)


def probit(accuracy: Floats, n: NDArray[np.int64] | int) -> Floats:
    """The normal quantile of accuracies; 0 and 1 move inwards by half an example.

    >>> probit(np.array([0.5, 1.0]), 100).round(4).tolist()
    [0.0, 2.5758]
    """
    half = 0.5 / np.asarray(n)
    return np.asarray(_inverse(np.clip(accuracy, half, 1 - half)), dtype=np.float64)


def from_probit(value: Floats) -> Floats:
    """The accuracy at a probit: the normal distribution function."""
    return np.asarray(_cumulative(value), dtype=np.float64)


@dataclass(frozen=True, eq=False, slots=True)
class Trend:
    """Clean and OOD accuracies of P points, and their bootstrap replicates.

    Attributes:
        clean: float64 (P,).
        ood: float64 (P,).
        clean_n: int64 (P,), how many images the clean accuracies are of.
        ood_n: int64 (P,), how many judgements the OOD accuracies are of.
        images: How many different images the OOD accuracies are of.
        samples: `clean` and `ood` again, (replicates, P) each; None gives no intervals.
        confidence: Coverage of the intervals, inside (0, 1).

    Raises:
        DataError: Fewer than three points of different clean accuracy, or an OOD accuracy that is
            everywhere the same: nothing can be fitted.
    """

    clean: Floats
    ood: Floats
    clean_n: NDArray[np.int64]
    ood_n: NDArray[np.int64]
    images: int
    samples: tuple[Floats, Floats] | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        x, y = self.probits()
        different = len(np.unique(x))
        if different < 3:
            message = (
                f"no line and no correlation: the points have {different} different clean "
                f"accurac{'y' if different == 1 else 'ies'}, expected at least 3; "
                "evaluate at more steps"
            )
            raise DataError(message)
        if len(np.unique(y)) < 2:
            message = (
                f"no line and no correlation: the OOD accuracy is {self.ood[0]:g} at all "
                f"{len(y)} points, expected one that changes"
            )
            raise DataError(message)

    def probits(self) -> tuple[Floats, Floats]:
        """Both accuracies on the probit scale, (P,) each."""
        return probit(self.clean, self.clean_n), probit(self.ood, self.ood_n)

    def sample_probits(self) -> tuple[Floats, Floats] | None:
        """Their replicates on the probit scale, (replicates, P) each."""
        if self.samples is None:
            return None
        clean, ood = self.samples
        return probit(clean, self.clean_n), probit(ood, self.ood_n)

    def measure(
        self,
        value: Floats,
        samples: Floats | None,
        bounds: tuple[float, float] = (-np.inf, np.inf),
    ) -> Measure:
        """A number computed from the trend, with the interval of its replicates."""
        return Measure.of_samples(float(value), self.images, samples, self.confidence, bounds)
