"""What an evaluation found, per example."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Diagnostics:
    """Signs that a robust accuracy may be higher than the truth.

    Attributes:
        attacked: Examples that the attack worked on.
        zero_gradients: How many of them only ever had a gradient of exactly zero.
        bad_gradients: How many had a gradient that is not finite.
        random_model: Whether two passes over the same images gave different logits.
    """

    attacked: int
    zero_gradients: int
    bad_gradients: int
    random_model: bool

    def warnings(self) -> list[str]:
        """The bad signs in words; empty where there are none."""
        found = []
        if self.zero_gradients:
            share = self.zero_gradients / self.attacked
            found.append(
                f"the gradients of {share:.0%} of the attacked examples are zero throughout: the "
                "loss is saturated or not differentiable, this robust accuracy is not to be trusted"
            )
        if self.bad_gradients:
            share = self.bad_gradients / self.attacked
            found.append(
                f"{share:.0%} of the attacked examples had gradients that are not finite: the "
                "attack was hampered, this robust accuracy is not to be trusted"
            )
        if self.random_model:
            found.append(
                "two passes over the same images gave different logits: the model is random in "
                "evaluation mode, which hides adversarial examples"
            )
        return found


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
