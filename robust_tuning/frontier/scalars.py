"""The numbers that sum up a strategy under one threat, besides the area."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from robust_tuning.frontier.pareto import (
    Interpolation,
    Normalisation,
    areas_of_sorted,
    largest_area,
)

Floats = NDArray[np.float64]

AREA, ABOVE_AVERAGE, OOD_AREA = "area", "above_average", "ood_area"
AT_BEST, BEST_ROBUST = "robust_accuracy_at_best_accuracy", "best_robust_accuracy"
BEST_SUM, EXPECTED = "best_sum", "expected_robustness"

# Of all but the area, whose definition depends on how it is made.
DEFINITIONS = {
    ABOVE_AVERAGE: "area divided by the mean area of the strategies, itself included, less 1",
    AT_BEST: "robust accuracy of the most accurate point",
    BEST_ROBUST: "largest robust accuracy of any point, however accurate",
    BEST_SUM: "largest accuracy + robust accuracy of any point",
    EXPECTED: (
        "largest area under accuracy against eps of any point, divided by the eps of the threat; "
        "straight lines between clean accuracy and the radii measured"
    ),
    OOD_AREA: "area with accuracy under shift, averaged over shifts, in place of robust accuracy",
}


def of_sorted(
    accuracy: Floats,
    robust: Floats,
    reference: tuple[float, float],
    interpolation: Interpolation,
    normalise: Normalisation,
) -> dict[str, Floats]:
    """The scalars of many sets of points at once.

    Args:
        accuracy: (..., n), ascending along the last axis.
        robust: (..., n), ascending where accuracies are equal.
        reference: See `dominated_area`.
        interpolation: See `dominated_area`.
        normalise: See `largest_area`.

    Returns:
        By key, one number per set, (...).
    """
    area = areas_of_sorted(accuracy, robust, reference, interpolation)
    return {
        AREA: area / largest_area(reference, normalise),
        AT_BEST: robust[..., -1],
        BEST_ROBUST: robust.max(axis=-1),
        BEST_SUM: (accuracy + robust).max(axis=-1),
    }


def eps_weights(radii: Sequence[Fraction]) -> Floats:
    """How clean accuracy and the robust accuracies at some radii enter expected robustness.

    The trapezoidal rule over [0, largest radius], divided by the largest radius: the weights are
    not negative and sum to 1.

    Args:
        radii: Positive, rising.

    Returns:
        float64 (1 + n,), the first for clean accuracy.

    >>> eps_weights([Fraction(1, 255), Fraction(4, 255)]).tolist()
    [0.125, 0.5, 0.375]
    """
    ends: list[Fraction] = [Fraction(0), *radii]
    widths = [(after - before) / radii[-1] for before, after in zip(ends, radii, strict=False)]
    zero = Fraction(0)
    sides = zip([zero, *widths], [*widths, zero], strict=True)
    return np.array([float(left + right) / 2 for left, right in sides])


def expected_robustness(accuracies: Sequence[NDArray[np.floating]], weights: Floats) -> Floats:
    """The largest expected robustness of any point.

    Args:
        accuracies: (..., n) each: clean, then at the radii of `eps_weights`.
        weights: From `eps_weights`.

    Returns:
        (...), one number per set.
    """
    expected = np.zeros(accuracies[0].shape)
    for weight, accuracy in zip(weights, accuracies, strict=True):
        expected += weight * accuracy
    return np.asarray(expected.max(axis=-1))
