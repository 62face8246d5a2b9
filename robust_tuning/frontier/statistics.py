"""Intervals: Wilson's for one proportion, the bootstrap for whatever is computed from many."""

from functools import lru_cache
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from robust_tuning.errors import ConfigurationError


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion.

    With `p = successes / n` and `z` the two-sided normal quantile, the interval is
    `(p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)`, without continuity correction
    (Wilson 1927, "Probable inference, the law of succession, and statistical inference").

    Args:
        successes: How many of the examples succeeded, `0 <= successes <= n`.
        n: How many examples there were. None at all says nothing: the interval is (0, 1).
        confidence: Coverage, inside (0, 1).

    Returns:
        Lower and upper end, both in [0, 1], around `p`.

    Raises:
        ConfigurationError: `successes` outside [0, n], or a confidence outside (0, 1).

    >>> low, high = wilson(81, 263)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)
    """
    check_confidence(confidence)
    if not 0 <= successes <= n:
        message = f"a proportion of {successes} out of {n}: expected 0 <= successes <= n"
        raise ConfigurationError(message)
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p = successes / n
    centre = p + z * z / (2 * n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # The ends are exactly 0 and 1 at the extremes; rounding must not push them past `p`.
    low = 0.0 if successes == 0 else min((centre - half) / scale, p)
    high = 1.0 if successes == n else max((centre + half) / scale, p)
    return low, high


@lru_cache(maxsize=1)  # one strategy after the other asks for the same
def resampling_weights(n: int, replicates: int, seed: int) -> NDArray[np.float32]:
    """How often each of `n` examples is drawn in each bootstrap replicate.

    The weights depend on the three arguments alone, so that quantities computed with the same seed
    on the same examples are paired. `weights @ correct` counts the correct examples of a replicate
    and is exact in float32 for up to 2**24 examples.

    Returns:
        float32 (replicates, n), read-only; whole numbers, every row sums to `n`.

    Raises:
        ConfigurationError: No examples or no replicates.
    """
    if n < 1 or replicates < 1:
        message = f"a bootstrap of {n} examples with {replicates} replicates: expected both >= 1"
        raise ConfigurationError(message)
    weights = np.empty((replicates, n), dtype=np.float32)
    generator = np.random.default_rng(seed)
    for row in weights:
        row[:] = np.bincount(generator.integers(n, size=n), minlength=n)
    weights.setflags(write=False)
    return weights


def basic_interval(
    estimate: float, samples: NDArray[np.float64], confidence: float = 0.95
) -> tuple[float, float]:
    """The basic bootstrap interval: twice the estimate less the samples' quantiles.

    The replicates stand to the estimate as the estimate stands to the truth, so a bias that they
    show is taken off, where the percentile interval would add it once more (Davison and Hinkley
    1997, section 5.2). For unbiased, symmetric samples the two are the same.

    >>> basic_interval(40.0, np.arange(101.0), 0.5)
    (5.0, 55.0)
    """
    low, high = basic_intervals(np.array([estimate]), samples[None], confidence)
    return float(low[0]), float(high[0])


def basic_intervals(
    estimates: NDArray[np.float64], samples: NDArray[np.float64], confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The basic bootstrap intervals of many estimates.

    Args:
        estimates: float64 (M,).
        samples: float64 (M, replicates); NaN counts as no sample, and every row has at least one.
        confidence: Coverage, inside (0, 1).

    Returns:
        The lower and the upper ends, float64 (M,) each.
    """
    check_confidence(confidence)
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    quantile = np.nanquantile if np.isnan(samples).any() else np.quantile  # the first is slow
    low, high = quantile(samples, ends, axis=1)
    return 2 * estimates - high, 2 * estimates - low


def check_confidence(confidence: float) -> None:
    """Raise a ConfigurationError unless the confidence is inside (0, 1)."""
    if not 0 < confidence < 1:
        message = f"confidence is {confidence}: expected 0 < confidence < 1, for example 0.95"
        raise ConfigurationError(message)
