"""Signs that a robust accuracy may be higher than the truth."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from robust_tuning.attacks.campaign import Campaign


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


def diagnose(campaign: "Campaign", random_model: bool) -> Diagnostics:
    """Collect the signs of a campaign."""
    ledger = campaign.ledger
    return Diagnostics(
        attacked=int(ledger.attacked.sum()),
        zero_gradients=int((ledger.zero_gradient & ledger.robust).sum()),
        bad_gradients=int(ledger.bad_gradient.sum()),
        random_model=random_model,
    )
