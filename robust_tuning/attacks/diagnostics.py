"""Signs that a robust accuracy may be higher than the truth; docs/diagnostics.md explains each."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from robust_tuning.plugins import spec_of

if TYPE_CHECKING:
    from robust_tuning.attacks.campaign import Campaign
    from robust_tuning.attacks.leads import Leads
    from robust_tuning.attacks.sanity import SecondOpinion

# Below this share of the examples, signs that a sound evaluation also shows are not mentioned.
_NOTABLE = 0.05
# Of a lead, what another batch may round differently, and no attack that works leaves it at.
_ROUNDING = 1e-4
_UNTRUSTED = "this robust accuracy is not to be trusted"


@dataclass(frozen=True)
class Diagnostics:
    """Signs that a robust accuracy may be higher than the truth, as counts of examples.

    Attributes:
        examples: Of the evaluation.
        attacked: Those that the attack worked on.
        zero_gradients: Survivors that only ever had gradients of exactly zero.
        bad_gradients: Examples that had a gradient which is not finite.
        not_rising: Survivors on which no step ever lowered the lead of the label, by more than
            rounding might.
        black_box_only: Examples that attacks by gradients missed, and one without gradients broke.
        late_restarts: Examples that the first run of an attack missed, and a later one broke.
        saturated: Examples whose label has a probability of exactly one in float32.
        clipped: Examples that share the largest logit of all.
        unlimited: Survivors attacked once more with every valid image allowed.
        unlimited_robust: How many of them withstood; in truth none can.
        scale_free: Survivors without gradients, attacked once more with a scale-free loss.
        scale_free_broken: How many of them fell.
        random_model: Whether two passes over the same images gave different logits.
        batch_dependent: Whether the answer to an image depends on the images beside it.
        probabilities: Whether the answers are probabilities instead of logits.
        no_radius: Whether the radius is zero.
    """

    examples: int
    attacked: int
    zero_gradients: int
    bad_gradients: int
    not_rising: int = 0
    black_box_only: int = 0
    late_restarts: int = 0
    saturated: int = 0
    clipped: int = 0
    unlimited: int = 0
    unlimited_robust: int = 0
    scale_free: int = 0
    scale_free_broken: int = 0
    random_model: bool = False
    batch_dependent: bool = False
    probabilities: bool = False
    no_radius: bool = False

    def warnings(self) -> list[str]:
        """The bad signs in words; empty where there are none."""
        signs = [*self._of_gradients(), *self._of_attacks(), *self._of_the_model()]
        return [words for bad, words in signs if bad]

    def _share(self, count: int) -> str:
        return f"{count / max(1, self.attacked):.0%} of the attacked examples"

    def _of_gradients(self) -> list[tuple[bool, str]]:
        cause = "the cross-entropy is saturated" if self.saturated else "the loss is flat"
        remedy = "use a loss that no scale of the logits changes (AutoAttack, Triage, loss: dlr)"
        if self.scale_free_broken:
            remedy = (
                f"a short attack with the scale-free loss dlr breaks {self.scale_free_broken} of "
                f"{self.scale_free} such survivors; {remedy}"
            )
        return [
            (
                self.zero_gradients > 0,
                f"all gradients of {self._share(self.zero_gradients)} are zero: {cause} or the "
                f"model is not differentiable, {_UNTRUSTED}; {remedy}",
            ),
            (
                self.bad_gradients > 0,
                f"{self._share(self.bad_gradients)} had gradients that are not finite: the attack "
                f"was hampered, {_UNTRUSTED}; look for divisions, roots and logarithms of zero",
            ),
            (
                self.not_rising > _NOTABLE * self.attacked,
                f"on {self._share(self.not_rising)} no step ever lowered the lead of the label: "
                "the gradients do not lead uphill, as where a defence hides them; try AutoAttack",
            ),
        ]

    def _of_attacks(self) -> list[tuple[bool, str]]:
        return [
            (
                self.black_box_only > 0,
                f"{self.black_box_only} examples fell only to an attack without gradients: those "
                f"by gradients are hampered, {_UNTRUSTED}",
            ),
            (
                self.late_restarts > _NOTABLE * self.attacked,
                f"{self.late_restarts} examples fell only to a later restart of the same attack: "
                "still more restarts would lower this robust accuracy further",
            ),
            (
                self.unlimited_robust > 0,
                f"{self.unlimited_robust} of {self.unlimited} survivors withstand even an attack "
                "that may choose any image: no model is that robust; gradients are masked or the "
                f"images do not reach the model, {_UNTRUSTED}",
            ),
        ]

    def _of_the_model(self) -> list[tuple[bool, str]]:
        return [
            (
                self.random_model,
                "two passes over the same images gave different logits: the model is random in "
                "evaluation mode, which hides adversarial examples; use AutoAttack version rand",
            ),
            (
                self.batch_dependent,
                "the answer to an image depends on the images beside it (batch statistics in "
                f"evaluation mode?): results depend on the batch size, {_UNTRUSTED}",
            ),
            (
                self.clipped > _NOTABLE * self.examples,
                f"the largest logit of {self.clipped} examples is the very same number: the logits "
                "are clipped, which takes their gradients away; attack the model without that",
            ),
            (
                self.probabilities,
                "the model answers with probabilities, expected logits: a softmax in the model "
                "weakens every attack; remove it",
            ),
            (self.no_radius, "the radius is 0: this robust accuracy is the clean accuracy"),
        ]


def diagnose(campaign: "Campaign", leads: "Leads", opinion: "SecondOpinion") -> Diagnostics:
    """Collect the signs of a campaign that has finished."""
    ledger = campaign.ledger
    stages = [stage.attack for stage in campaign.stages]
    blind = [n for n, attack in enumerate(stages) if not attack.budget.backward]
    seeing = len(blind) < len(stages)
    specs = [spec_of(attack) for attack in stages]
    again = [n for n, spec in enumerate(specs) if spec in specs[:n]]
    survived = ledger.robust & ledger.attacked
    clean = campaign.clean_margin
    # Attacks that begin at the image itself see its lead again, rounded as another batch has it.
    least = clean - _ROUNDING * np.abs(clean)
    return Diagnostics(
        examples=len(ledger.robust),
        attacked=int(ledger.attacked.sum()),
        zero_gradients=int((ledger.zero_gradient & survived).sum()),
        bad_gradients=int(ledger.bad_gradient.sum()),
        not_rising=int((survived & (ledger.margin >= least)).sum()),
        black_box_only=int(np.isin(ledger.broken_in, blind).sum()) if seeing else 0,
        late_restarts=int(np.isin(ledger.broken_in, again).sum()),
        saturated=leads.saturated,
        clipped=leads.clipped,
        unlimited=opinion.unlimited,
        unlimited_robust=opinion.unlimited_robust,
        scale_free=opinion.scale_free,
        scale_free_broken=opinion.scale_free_broken,
        random_model=leads.random_model,
        batch_dependent=leads.batch_dependent,
        probabilities=leads.probabilities,
        no_radius=not campaign.adversary.threat.eps,
    )
