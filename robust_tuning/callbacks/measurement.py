"""What an evaluation hands to the recorder, and the recorder to a logger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from robust_tuning.frontier import (
    AttackIdentity,
    Cost,
    Estimate,
    ExampleOutcomes,
    FrontierPoint,
    ShiftIdentity,
)
from robust_tuning.frontier.examples import PerturbedExamples
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
        shifts: By name, what measured the accuracies on shifted images.
        calibration: By shift, and under `clean`, the expected calibration error.
        examples: By threat, a few adversarial images for looking at.
    """

    split: Split
    outcomes: ExampleOutcomes
    attack: AttackIdentity | None
    cost: Cost
    diagnostics: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    shifts: Mapping[str, ShiftIdentity] = field(default_factory=dict)
    calibration: Mapping[str, Estimate] = field(default_factory=dict)
    examples: Mapping[str, PerturbedExamples] = field(default_factory=dict)

    @property
    def accuracy(self) -> Estimate:
        """On the clean images."""
        return Estimate.of(int(self.outcomes.clean_correct.sum()), len(self.outcomes.index))

    @property
    def robust_accuracy(self) -> dict[str, Estimate]:
        """By threat."""
        n = len(self.outcomes.index)
        return {key: Estimate.of(int(r.sum()), n) for key, r in self.outcomes.robust.items()}

    @property
    def ood_accuracy(self) -> dict[str, Estimate]:
        """By shift."""
        return {
            key: Estimate.of(int(shift.correct.sum()), len(shift.index))
            for key, shift in self.outcomes.shifts.items()
        }

    def joined_to(self, outcomes: ExampleOutcomes) -> ExampleOutcomes:
        """What happened to the examples of another evaluation of the same state, and of this one.

        The clean images are those that were attacked, where one of the two attacked any.
        """
        own = self.outcomes
        base = own if self.attack is not None else outcomes
        return replace(base, shifts={**outcomes.shifts, **own.shifts})


@runtime_checkable
class PointLogger(Protocol):
    """A logger that can show more of a point than its numbers."""

    def log_point(
        self,
        points: Sequence[FrontierPoint],
        place: int,
        metrics: Mapping[str, float],
        examples: Mapping[str, PerturbedExamples],
    ) -> None:
        """Log a point.

        Args:
            points: All of the run so far.
            place: Where among them the one to log stands.
            metrics: What was measured just now, under the names that other loggers get it by.
            examples: By threat, a few adversarial images.
        """


@runtime_checkable
class Rewinding(Protocol):
    """A logger that can forget what a run that continues logs again."""

    def rewind(self, step: int, point: int) -> None:
        """Forget it.

        Args:
            step: How many steps are done.
            point: From this step on, points are logged again.
        """
