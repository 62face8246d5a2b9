"""What an evaluation found, per example."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robust_tuning.attacks.diagnostics import Diagnostics


@dataclass(frozen=True)
class Audit:
    """What was found among examples that a shortcut had taken for robust.

    Attributes:
        left_alone: Examples taken for robust without the full attack, the sample included.
        sampled: How many of them, chosen at random, were attacked all the same.
        broken: How many of those fell; they do not count as robust.
    """

    left_alone: int
    sampled: int
    broken: int

    def overstated_at_most(self, confidence: float = 0.95) -> int:
        """How many examples may be called robust wrongly, at most, at a confidence.

        The upper Clopper-Pearson limit of the share that falls, of those not sampled.
        """
        unseen = self.left_alone - self.sampled
        if not unseen or not self.sampled:
            return unseen
        if self.broken == self.sampled:
            return unseen
        from scipy.stats import beta  # slow to import

        upper = float(beta.ppf(confidence, self.broken + 1, self.sampled - self.broken))
        return min(unseen, math.ceil(upper * unseen))


@dataclass(frozen=True)
class Outcomes:
    """The verdict on every example, in the order in which they came.

    Attributes:
        indices: Identity of each example `(n,)` int64.
        labels: `(n,)` int64.
        clean_correct: Whether the unperturbed image is classified correctly `(n,)` bool.
        robust: By threat, whether it is and the attack failed `(n,)` bool.
        steps: By threat, gradient steps spent on the example `(n,)` int64.
        diagnostics: By threat.
        audits: By threat, where examples were taken for robust by a shortcut.
        forward: Forward passes, in examples.
        backward: Backward passes, in examples.
        seconds: Wall time.
    """

    indices: NDArray[np.int64]
    labels: NDArray[np.int64]
    clean_correct: NDArray[np.bool_]
    robust: dict[str, NDArray[np.bool_]]
    steps: dict[str, NDArray[np.int64]]
    diagnostics: dict[str, Diagnostics]
    audits: dict[str, Audit]
    forward: int
    backward: int
    seconds: float


@dataclass(frozen=True)
class Progress:
    """How far an evaluation is.

    Attributes:
        done: Verdicts reached, over all threats.
        total: Verdicts to reach; None where the number of examples is unknown.
        robust_accuracy: By threat, the share of the examples seen that no attack has broken yet; it
            falls to the final value.
    """

    done: int
    total: int | None
    robust_accuracy: dict[str, float]
