"""The verdicts of one adversary, by the position of each example in the evaluation."""

import numpy as np
from numpy.typing import NDArray

from robust_tuning.attacks.journal import Verdicts

NOT_BROKEN = -1


class Ledger:
    """What one adversary has found so far.

    Attributes:
        robust: Correctly classified and not (yet) broken `(n,)`.
        steps: Steps spent, over all stages `(n,)`.
        margin: Smallest lead of the label seen, in logits `(n,)`.
        broken_in: The stage that broke the example, -1 where none has `(n,)`.
        attacked: Whether some attack has worked on it `(n,)`.
        zero_gradient: Whether it survived a stage in which every gradient was zero `(n,)`.
        bad_gradient: Whether a gradient was not finite `(n,)`.
        distance: Norm of the smallest perturbation found, infinite where none is; of use only after
            an attack that looks for it `(n,)`.
        decided: How many verdicts stand.
    """

    def __init__(self) -> None:
        self.robust = np.zeros(0, dtype=bool)
        self.steps = np.zeros(0, dtype=np.int64)
        self.margin = np.zeros(0)
        self.broken_in = np.zeros(0, dtype=np.int64)
        self.attacked = np.zeros(0, dtype=bool)
        self.zero_gradient = np.zeros(0, dtype=bool)
        self.bad_gradient = np.zeros(0, dtype=bool)
        self.distance = np.zeros(0)
        self.decided = 0

    def extend(self, correct: NDArray[np.bool_], margin: NDArray[np.float64]) -> None:
        """Open an account for each example of a batch; the misclassified ones are decided."""
        no = np.zeros(len(correct), dtype=bool)
        self.robust = np.concatenate([self.robust, correct])
        self.steps = np.concatenate([self.steps, no.astype(np.int64)])
        self.margin = np.concatenate([self.margin, margin])
        self.broken_in = np.concatenate([self.broken_in, no + NOT_BROKEN])
        self.distance = np.concatenate([self.distance, no + np.inf])
        for name in ("attacked", "zero_gradient", "bad_gradient"):
            setattr(self, name, np.concatenate([getattr(self, name), no]))
        self.decided += int((~correct).sum())

    def record(self, positions: NDArray[np.int64], verdicts: Verdicts, stage: int) -> None:
        """Enter how a stage ended for some examples."""
        broken = verdicts.broken
        self.robust[positions] &= ~broken
        self.broken_in[positions[broken]] = stage
        self.steps[positions] += verdicts.steps
        self.margin[positions] = np.minimum(self.margin[positions], verdicts.margin)
        self.distance[positions] = np.minimum(self.distance[positions], verdicts.distance)
        self.attacked[positions] = True
        self.zero_gradient[positions] |= verdicts.zero_gradient & ~broken
        self.bad_gradient[positions] |= verdicts.bad_gradient
        self.decided += int(broken.sum())

    def take_over(self, other: "Ledger", broken: NDArray[np.bool_]) -> None:
        """Enter what the search of another account says of this one's radius.

        Args:
            other: Of the same examples.
            broken: Which of them fall within this radius `(n,)`.
        """
        self.robust &= ~broken
        self.broken_in[broken & other.attacked] = 0
        for name in ("margin", "attacked", "zero_gradient", "bad_gradient", "distance"):
            setattr(self, name, getattr(other, name).copy())
        self.decided = len(self.robust)
