"""Adversarial robustness, measured while the model is fine-tuned."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256

from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from robust_tuning.attacks import PGD, Adversary, Outcomes, evaluate
from robust_tuning.callbacks.evaluation import ScheduledEvaluation, prepared
from robust_tuning.callbacks.measurement import Measurement
from robust_tuning.callbacks.progress import evaluation_bar
from robust_tuning.callbacks.schedule import Schedule
from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import AttackIdentity, Cost, ExampleOutcomes
from robust_tuning.plugins import spec_of
from robust_tuning.tuner import RobustTuner
from robust_tuning.types import Batch, Split

log = logging.getLogger(__name__)


class AdversarialEvaluation(ScheduledEvaluation):
    """Clean and robust accuracy of the model at the steps of a schedule.

    Args:
        attack: The attack. By default the study's: PGD, linf, eps 1/255, 15 steps of 0.25/255 from
            a random start, in pixel space; an example counts as broken at its first misclassified
            iterate (`select: last` for the study's exact rule).
        eps: Radii to evaluate in one call, in place of the attack's own: numbers or fractions such
            as `4/255`, in [0, 1] pixel units.
        schedule: When, during `fit`.
        split: Where the examples come from during `fit`.
        n: How many examples, always the same ones; None takes the whole split.
        batch_size: Examples attacked at a time; it changes the speed, not the result.
        inherit: Take who survives a larger radius for robust at the smaller ones; see `evaluate`.

    Raises:
        ConfigurationError: If an argument is out of range.
    """

    def __init__(
        self,
        *,
        attack: Adversary | None = None,
        eps: Sequence[float | str] | None = None,
        schedule: Schedule = Schedule(preset="epoch"),  # noqa: B008  frozen
        split: Split = "validation",
        n: int | None = None,
        batch_size: int = 64,
        inherit: bool = False,
    ) -> None:
        super().__init__(schedule=schedule, split=split, n=n)
        if batch_size < 1:
            message = f"adversarial.batch_size is {batch_size}, expected at least 1"
            raise ConfigurationError(message)
        self.attack = PGD() if attack is None else attack
        self.eps = eps
        self.batch_size = batch_size
        self.inherit = inherit
        self.attacks = at_radii(self.attack, eps)

    def measure(
        self, trainer: Trainer, tuner: RobustTuner, examples: DataLoader[Batch], split: Split
    ) -> Measurement:
        """Attack the examples."""
        n = len(examples.dataset)  # type: ignore[arg-type]  # sized by contract
        title = f"evaluating step {trainer.global_step}"
        with evaluation_bar(trainer, title, n * len(self.attacks)) as bar:
            outcomes = evaluate(
                tuner.backbone,
                prepared(tuner, examples),
                self.attacks,
                batch_size=self.batch_size,
                inherit=self.inherit,
                total=n,
                on_progress=bar.update if bar else None,
            )
        report_signs(outcomes, f"step {trainer.global_step}")
        identity = identify(self.attack, tuner.backbone.perturb, inherit=self.inherit)
        return to_measurement(outcomes, identity, split)


def to_measurement(outcomes: Outcomes, identity: AttackIdentity, split: Split) -> Measurement:
    """What the frontier keeps of an evaluation."""
    return Measurement(
        split=split,
        outcomes=ExampleOutcomes(
            outcomes.indices, outcomes.labels, outcomes.clean_correct, outcomes.robust
        ),
        attack=identity,
        cost=Cost(outcomes.seconds, outcomes.forward, outcomes.backward),
        diagnostics=_counts(outcomes),
    )


def report_signs(outcomes: Outcomes, where: str) -> None:
    """Say in words what speaks against the numbers of an evaluation, and what bounds them."""
    for threat, diagnostics in outcomes.diagnostics.items():
        for warning in diagnostics.warnings():
            log.warning("%s, %s: %s", where, threat, warning)
    for threat, audit in outcomes.audits.items():
        points = 100 * audit.overstated_at_most() / len(outcomes.indices)
        message = "%s, %s: at most %.1f points overstated at 95 %% (%d of %d audited)"
        log.info(message, where, threat, points, audit.sampled, audit.left_alone)


def identify(attack: Adversary, perturb: str, *, inherit: bool = False) -> AttackIdentity:
    """Name an attack and everything but its radius that decides a robust accuracy.

    Args:
        attack: The attack; its radius is in the key of each robust accuracy already.
        perturb: Where perturbations live.
        inherit: Whether robust verdicts were taken over from larger radii.
    """
    spec = spec_of(attack)
    settings = {key: value for key, value in spec["init_args"].items() if key != "eps"}
    settings["perturb"] = perturb
    if inherit:
        settings["inherit"] = True
    text = json.dumps([spec["class_path"], settings], sort_keys=True)
    return AttackIdentity(spec["class_path"], settings, sha256(text.encode()).hexdigest()[:16])


def at_radii(attack: Adversary, radii: Sequence[float | str] | None) -> list[Adversary]:
    """The same attack at several radii; None takes its own.

    Raises:
        ConfigurationError: If there are no radii, or one is out of range.
    """
    if radii is None:
        return [attack]
    if not radii:
        message = "adversarial.eps is empty, expected radii such as [1/255, 4/255], or null"
        raise ConfigurationError(message)
    return [attack.at(eps) for eps in radii]


def _counts(outcomes: Outcomes) -> dict[str, dict[str, int]]:
    counts = {
        threat: {name: int(value) for name, value in asdict(diagnostics).items()}
        for threat, diagnostics in outcomes.diagnostics.items()
    }
    for threat, audit in outcomes.audits.items():
        counts[threat] |= {
            "audit_left_alone": audit.left_alone,
            "audit_sampled": audit.sampled,
            "audit_broken": audit.broken,
            "audit_overstated_at_most": audit.overstated_at_most(),
        }
    return counts
