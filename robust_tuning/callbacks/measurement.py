"""What an evaluation hands to the recorder."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from robust_tuning.frontier import AttackIdentity, Cost, Estimate, ExampleOutcomes
from robust_tuning.types import Split


@dataclass(frozen=True)
class Measurement:
    """One evaluation of one model state.

    Attributes:
        split: Where the examples come from.
        outcomes: What happened to each.
        attack: What measured the robust accuracies.
        cost: What it took.
        diagnostics: By threat, signs of a weak attack as counts.
    """

    split: Split
    outcomes: ExampleOutcomes
    attack: AttackIdentity | None
    cost: Cost
    diagnostics: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def accuracy(self) -> Estimate:
        """On the clean images."""
        return Estimate.of(int(self.outcomes.clean_correct.sum()), len(self.outcomes.index))

    @property
    def robust_accuracy(self) -> dict[str, Estimate]:
        """By threat."""
        n = len(self.outcomes.index)
        return {key: Estimate.of(int(r.sum()), n) for key, r in self.outcomes.robust.items()}
