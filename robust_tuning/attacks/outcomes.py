"""What an evaluation found, per example."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from robust_tuning.attacks.audits import Audit
from robust_tuning.attacks.diagnostics import Diagnostics
from robust_tuning.attacks.examples import AdversarialExamples


@dataclass(frozen=True)
class Outcomes:
    """The verdict on every example, in the order in which they came.

    Attributes:
        indices: Identity of each example `(n,)` int64.
        labels: `(n,)` int64.
        clean_correct: Whether the unperturbed image is classified correctly `(n,)` bool.
        robust: By threat, whether it is and the attack failed `(n,)` bool.
        steps: By threat, gradient steps spent on the example `(n,)` int64.
        distance: By threat, norm of the smallest perturbation found, infinite where none is
            `(n,)` float64; only of attacks that look for it.
        diagnostics: By threat.
        audits: By threat, where examples were taken for robust by a shortcut.
        adversarial: By threat, the images that the attack ended with, where they were asked for.
        forward: Forward passes, in examples.
        backward: Backward passes, in examples.
        seconds: Wall time.
        peak_memory: In bytes: on a GPU the most that was allocated meanwhile, elsewhere the most
            that the process has ever held.
    """

    indices: NDArray[np.int64]
    labels: NDArray[np.int64]
    clean_correct: NDArray[np.bool_]
    robust: dict[str, NDArray[np.bool_]]
    steps: dict[str, NDArray[np.int64]]
    diagnostics: dict[str, Diagnostics]
    audits: dict[str, Audit]
    distance: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    adversarial: dict[str, AdversarialExamples] = field(default_factory=dict)
    forward: int = 0
    backward: int = 0
    seconds: float = 0.0
    peak_memory: int = 0

    def curve(self, threat: str, radii: Sequence[float]) -> NDArray[np.float64]:
        """Robust accuracy at many radii, from one search for the nearest adversarial images.

        Args:
            threat: A key of `distance`.
            radii: In [0, 1] pixel units.

        Returns:
            One accuracy for each radius.

        Raises:
            KeyError: If the attack did not look for distances.
        """
        distance = self.distance[threat]
        return np.array([(self.clean_correct & (distance > eps)).mean() for eps in radii])


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
