"""What an evaluation will cost, before it begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robust_tuning.attacks.adversary import Adversary
from robust_tuning.attacks.ladders import ladders_of

# Passes forth and back of an example that falls: at the start or soon after it.
_FALLEN = 2


@dataclass(frozen=True)
class Estimate:
    """Passes, in examples.

    Attributes:
        forward: Forward passes.
        backward: Backward passes.
    """

    forward: float
    backward: float

    def plus(self, other: "Estimate") -> "Estimate":
        """Both together."""
        return Estimate(self.forward + other.forward, self.backward + other.backward)


def estimate(
    adversaries: Sequence[Adversary],
    num_classes: int,
    n: int,
    accuracy: float,
    robust_accuracy: Mapping[str, float],
    *,
    audit: int | None = None,
) -> Estimate:
    """Passes that `evaluate` will take, about.

    Each survivor owes the budgets of the stages that work on it, each fallen example a few passes.
    How many survive is taken from what is known, and else assumed to be all that are classified
    correctly, so that without any knowledge the estimate is an upper bound.

    Args:
        adversaries: Who attacks.
        num_classes: Of the model.
        n: Examples.
        accuracy: Clean, in [0, 1].
        robust_accuracy: By threat, as far as it is known or guessed, in [0, 1].
        audit: Sample of the inherited verdicts at each radius, with `inherit`.
    """
    total = Estimate(n, 0)
    correct = accuracy * n
    descending = audit is not None
    for ladder in ladders_of([a.threat for a in adversaries], descending=descending):
        above = 0.0
        for place in ladder:
            adversary = adversaries[place]
            robust = min(correct, robust_accuracy.get(adversary.threat.key, accuracy) * n)
            if not adversary.threat.eps:
                continue
            attacked = correct
            if audit is not None and above:
                attacked = correct - above + min(audit, above)
            survivors = max(0.0, min(robust, attacked - (correct - robust)))
            total = total.plus(_of_stages(adversary, num_classes, attacked, survivors))
            above = max(above, robust) if descending else 0.0
            if all(stage.attack.measures_distance for stage in adversary.stages(num_classes)):
                break  # one run decides every radius
    return total


def _of_stages(
    adversary: Adversary, num_classes: int, attacked: float, survivors: float
) -> Estimate:
    total = Estimate(_FALLEN * (attacked - survivors), _FALLEN * (attacked - survivors))
    going = survivors
    for stage in adversary.stages(num_classes):
        going *= stage.share
        budget = stage.attack.budget
        # A search for the nearest image goes on to its end also where it has found one.
        many = attacked if stage.attack.measures_distance else going
        total = total.plus(Estimate(many * budget.forward, many * budget.backward))
    return total
