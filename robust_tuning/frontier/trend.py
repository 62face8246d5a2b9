"""Clean and OOD accuracies of several points on the probit scale: what a line is fitted to."""

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Self

import numpy as np
from numpy.typing import NDArray

from robust_tuning.errors import DataError
from robust_tuning.frontier.measure import Measure, measure_all

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
    # Replicates repeat the same few accuracies over and over.
    values, places = np.unique(np.clip(accuracy, half, 1 - half), return_inverse=True)
    with np.errstate(invalid="ignore"):  # NaN stays what it is
        probits = np.asarray(_inverse(values), dtype=np.float64)
    return np.asarray(probits[places].reshape(accuracy.shape))


def from_probit(value: Floats) -> Floats:
    """The accuracy at a probit: the normal distribution function."""
    with np.errstate(invalid="ignore"):
        return np.asarray(_cumulative(value), dtype=np.float64)


@dataclass(frozen=True, eq=False, slots=True)
class Trend:
    """Clean and OOD accuracies of P points, and their bootstrap replicates; made by `of`.

    Attributes:
        clean: float64 (2, P), the accuracies and their probits.
        ood: float64 (2, P), likewise.
        images: How many different images the OOD accuracies are of.
        samples: Replicates of `clean` and of `ood`, (2, replicates, P) each, which may be empty.
        confidence: Coverage of the intervals, inside (0, 1).

    Raises:
        DataError: Fewer than three points of different clean accuracy, or an OOD accuracy that is
            everywhere the same: nothing can be fitted.
    """

    clean: Floats
    ood: Floats
    images: int
    samples: tuple[Floats, Floats]
    confidence: float

    @classmethod
    def of(
        cls,
        clean: Floats,
        ood: Floats,
        n: tuple[NDArray[np.int64], NDArray[np.int64]],
        images: int,
        samples: tuple[Floats, Floats] | None = None,
        confidence: float = 0.95,
    ) -> Self:
        """Take accuracies to the probit scale.

        Args:
            clean: float64 (P,).
            ood: float64 (P,).
            n: int64 (P,) each, of how many judgements `clean` and `ood` are.
            images: How many different images the OOD accuracies are of.
            samples: `clean` and `ood` again, float64 (replicates, P) each; NaN where nothing is
                known of a point's examples. None gives no intervals.
            confidence: Coverage of the intervals, inside (0, 1).
        """
        again = samples or (np.empty((0, len(clean))),) * 2
        return cls(
            _both(clean, n[0]),
            _both(ood, n[1]),
            images,
            (_both(again[0], n[0]), _both(again[1], n[1])),
            confidence,
        )

    def __post_init__(self) -> None:
        different = len(np.unique(self.clean[1]))
        if different < 3:
            message = (
                f"no line and no correlation: the points have {different} different clean "
                f"accurac{'y' if different == 1 else 'ies'}, expected at least 3; "
                "evaluate at more steps"
            )
            raise DataError(message)
        if len(np.unique(self.ood[1])) < 2:
            message = (
                f"no line and no correlation: the OOD accuracy is {self.ood[0, 0]:g} at all "
                f"{self.ood.shape[1]} points, expected one that changes"
            )
            raise DataError(message)

    def part(self, chosen: NDArray[np.int64]) -> Self:
        """The trend of some of the points.

        Raises:
            DataError: They are too few, as above.
        """
        return replace(
            self,
            clean=self.clean[:, chosen],
            ood=self.ood[:, chosen],
            samples=(self.samples[0][..., chosen], self.samples[1][..., chosen]),
        )

    def measures(
        self,
        values: Floats,
        samples: Floats,
        bounds: tuple[float, float] = (-np.inf, np.inf),
    ) -> list[Measure]:
        """Numbers (M,) computed from the trend, with the intervals of their (replicates, M)."""
        return measure_all(
            values, self.images, samples.T, confidence=self.confidence, bounds=bounds
        )


def _both(accuracy: Floats, n: NDArray[np.int64]) -> Floats:
    return np.stack([accuracy, probit(accuracy, n)])
