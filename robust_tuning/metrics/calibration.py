"""Whether a model is right as often as it is sure."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from robust_tuning.errors import DataError

BINS = 15


class CalibrationError(NamedTuple):
    """An expected calibration error and its 95 % bootstrap interval, all in [0, 1].

    Attributes:
        value: The error.
        n: Of how many examples.
        low: Lower end.
        high: Upper end.
    """

    value: float
    n: int
    low: float
    high: float


def calibration_error(
    confidence: NDArray[np.float32],
    correct: NDArray[np.bool_],
    *,
    bins: int = BINS,
    replicates: int = 200,
) -> CalibrationError:
    """The expected calibration error (ECE) of the answers given.

    Examples are binned by confidence in equal parts of [0, 1]; with `a` the accuracy, `c` the mean
    confidence and `n_b` the number of a bin's examples, the error is the sum of `n_b / n |a - c|`
    over the bins, computed by torchmetrics. Source: C. Guo et al., "On calibration of modern neural
    networks", ICML 2017 (arXiv:1706.04599), equation 3.

    With few examples the error is too large, since even a calibrated model's bins are off by
    chance, and so is that of the bootstrap's replicates. The interval is the basic one, which takes
    that off once, widened where need be to hold the value.

    Args:
        confidence: Probability of the answer `(n,)` float32.
        correct: Whether it was right `(n,)` bool.
        bins: How many.
        replicates: Of the bootstrap over examples.

    Raises:
        DataError: If there are no examples, or a confidence is no probability.
    """
    import torch
    from torchmetrics.functional.classification import binary_calibration_error

    if not len(confidence) or not ((confidence >= 0) & (confidence <= 1)).all():
        message = f"{len(confidence)} confidences: expected at least one, all of them in [0, 1]"
        raise DataError(message)
    # Binary in the sense that an answer is right or wrong; the number of classes plays no part.
    value = float(
        binary_calibration_error(
            torch.from_numpy(confidence), torch.from_numpy(correct).long(), n_bins=bins
        )
    )
    samples = _resampled(confidence, correct, bins, replicates)
    below, above = np.quantile(samples, [0.025, 0.975])
    low, high = max(0.0, 2 * value - above), min(1.0, 2 * value - below)
    return CalibrationError(value, len(confidence), min(low, value), max(high, value))


def _resampled(
    confidence: NDArray[np.float32], correct: NDArray[np.bool_], bins: int, replicates: int
) -> NDArray[np.float64]:
    """The error in each replicate `(replicates,)`.

    A bin adds the size of the sum of `correct - confidence` over its examples, divided by n.
    """
    n = len(confidence)
    places = np.searchsorted(np.linspace(0, 1, bins + 1), confidence, "right") - 1
    gaps = np.zeros((n, bins + 1), dtype=np.float32)
    gaps[np.arange(n), places] = correct - confidence
    samples: NDArray[np.float64] = np.abs(_weights(n, replicates) @ gaps).sum(1) / n
    return samples


@lru_cache(maxsize=1)  # one set after the other asks for the same
def _weights(n: int, replicates: int) -> NDArray[np.float32]:
    """How often each example is drawn in each replicate, `(replicates, n)`."""
    random = np.random.default_rng(0)
    drawn = [np.bincount(random.integers(n, size=n), minlength=n) for _ in range(replicates)]
    return np.array(drawn, dtype=np.float32)
