"""Adversarial robustness, measured while the model is fine-tuned."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Any

from lightning.pytorch import Trainer

from robust_tuning.attacks import PGD, Adversary, Outcomes, Speed, evaluate
from robust_tuning.attacks.journal import Journal
from robust_tuning.attacks.speed import Folding
from robust_tuning.callbacks.evaluation import ScheduledEvaluation, prepared, recorders
from robust_tuning.callbacks.interruption import reporting
from robust_tuning.callbacks.measurement import Measurement
from robust_tuning.callbacks.memory import Memory
from robust_tuning.callbacks.progress import evaluation_bar
from robust_tuning.callbacks.schedule import Schedule
from robust_tuning.callbacks.showcase import Showcase
from robust_tuning.callbacks.source import LoadedExamples
from robust_tuning.callbacks.unfinished import Unfinished
from robust_tuning.data import BenchmarkDataModule
from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import AttackIdentity, Cost, ExampleOutcomes, FrontierPoint
from robust_tuning.frontier.examples import PerturbedExamples
from robust_tuning.plugins import spec_of
from robust_tuning.processes import Processes
from robust_tuning.strategies.base import Strategy
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
        audit: With `inherit`, how many of those are attacked at each smaller radius all the same.
        warm_start: Begin a second time where the search on the same example ended at the evaluation
            before. Finds a little more; each number then depends on those before it, which its
            fingerprint says. Checkpoints grow by two bytes for each value of the images.
        speed: How gradients may be had faster.
        examples: Of each threat, how many adversarial examples of the latest evaluation to keep for
            looking at; they decide no number.

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
        audit: int = 60,
        warm_start: bool = False,
        speed: Speed = Speed(),  # noqa: B008  frozen
        examples: int = 4,
    ) -> None:
        super().__init__(schedule=schedule, split=split, n=n)
        if batch_size < 1:
            message = f"adversarial.batch_size is {batch_size}, expected at least 1"
            raise ConfigurationError(message)
        if examples < 0:
            message = f"adversarial.examples is {examples}, expected a number, or 0 for none"
            raise ConfigurationError(message)
        self.attack = PGD() if attack is None else attack
        self.eps = eps
        self.batch_size = batch_size
        self.inherit = inherit
        self.audit = audit
        self.warm_start = warm_start
        self.speed = speed
        self.examples = examples
        self._memory = Memory()
        self.attacks = at_radii(self.attack, eps)

    def measure(
        self, trainer: Trainer, tuner: RobustTuner, data: BenchmarkDataModule, split: Split
    ) -> Measurement:
        """Attack the examples."""
        conditions = Conditions(
            audit=self.audit if self.inherit else None,
            warm_start=self.warm_start,
            low_precision=self.speed.lowers_precision(tuner.device),
        )
        identity = identify(self.attack, tuner.backbone.perturb, conditions)
        examples = LoadedExamples(
            data.evaluation_examples(split, self.n),
            data.evaluation_loader,
            partial(prepared, tuner),
        )
        n = len(examples)
        title = f"evaluating step {trainer.global_step}"
        with evaluation_bar(trainer, title, n * len(self.attacks)) as bar:
            outcomes = evaluate(
                tuner.backbone,
                examples,
                self.attacks,
                batch_size=self.batch_size,
                inherit=self.inherit,
                audit=self.audit,
                warm_start=self._memory.recalled(split) if self.warm_start else None,
                keep="float32" if self.warm_start else None,
                speed=self.speed,
                folded=folding(tuner),
                journal=self._journal(trainer, tuner, data, split, identity),
                processes=Processes.current(),
                on_progress=reporting(trainer, bar.update if bar else None),
            )
        shown = self._examples(trainer, tuner, data, outcomes, split)
        if self.warm_start:
            self._memory.remember(split, outcomes.adversarial)
        report_signs(outcomes, f"step {trainer.global_step}")
        return replace(to_measurement(outcomes, identity, split), examples=shown)

    def _journal(
        self,
        trainer: Trainer,
        tuner: RobustTuner,
        data: BenchmarkDataModule,
        split: Split,
        identity: AttackIdentity,
    ) -> Journal | None:
        """Where an interrupted evaluation of the same has left its verdicts."""
        found = recorders(trainer)
        if not found or self.warm_start:  # which needs images that no journal holds
            return None
        terms = {"attack": identity.fingerprint, "data": spec_of(data), "split": split, "n": self.n}
        return Unfinished(found[0].path, trainer).journal(tuner, terms)

    def _examples(
        self,
        trainer: Trainer,
        tuner: RobustTuner,
        data: BenchmarkDataModule,
        outcomes: Outcomes,
        split: Split,
    ) -> dict[str, PerturbedExamples]:
        """A few of the examples, attacked once more by themselves, as before."""
        if not self.examples or not trainer.is_global_zero:
            return {}

        def attacking(few: Batch, adversary: Adversary) -> Outcomes:
            return evaluate(
                tuner.backbone,
                [few],
                adversary,
                batch_size=self.batch_size,
                warm_start=self._memory.recalled(split) if self.warm_start else None,
                keep="float32",
                sanity=False,
                speed=replace(self.speed, compile=False),  # for so few it would take longer
                folded=folding(tuner),
            )

        showcase = Showcase(trainer.global_step, split, self.examples, tuple(data.class_names))
        examples = data.evaluation_examples(split, self.n)
        return showcase.of(tuner, examples, outcomes, self.attacks, attacking)

    def is_in(self, point: FrontierPoint) -> bool:
        """Whether it was attacked."""
        return point.attack is not None

    def state_dict(self) -> dict[str, Any]:
        """Also where searches ended: a resumed run begins where the interrupted one would have."""
        memory = {"memory": self._memory.state_dict()} if self.warm_start else {}
        return {**super().state_dict(), **memory}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        super().load_state_dict(state_dict)
        self._memory.load_state_dict(state_dict.get("memory", {}))


def to_measurement(outcomes: Outcomes, identity: AttackIdentity, split: Split) -> Measurement:
    """What the frontier keeps of an evaluation."""
    return Measurement(
        split=split,
        outcomes=ExampleOutcomes(
            outcomes.indices, outcomes.labels, outcomes.clean_correct, outcomes.robust
        ),
        attack=identity,
        cost=Cost(outcomes.seconds, outcomes.forward, outcomes.backward, outcomes.peak_memory),
        diagnostics=counts(outcomes),
    )


def report_signs(outcomes: Outcomes, where: str) -> None:
    """Say in words what speaks against the numbers of an evaluation, and what bounds them."""
    for threat, diagnostics in outcomes.diagnostics.items():
        for warning in diagnostics.warnings():
            log.warning("%s, %s: %s", where, threat, warning)
    for threat, audit in outcomes.audits.items():
        n = len(outcomes.indices)
        robust = 100 * float(outcomes.robust[threat].mean())
        points = 100 * audit.overstated_at_most() / n
        message = (
            "%s, %s: robust %.1f %%, at most %.1f points overstated at 95 %% (%d of %d verdicts "
            "taken by a shortcut were examined, %d of them fell)"
        )
        examined = audit.sampled, audit.left_alone, audit.broken
        log.info(message, where, threat, robust, points, *examined)


@dataclass(frozen=True)
class Conditions:
    """What decides a robust accuracy besides the attack.

    Attributes:
        audit: How many inherited verdicts were examined at each radius; None if none were taken
            over from larger radii.
        warm_start: Whether searches began where earlier ones ended.
        low_precision: Whether gradients were computed in bfloat16.
    """

    audit: int | None = None
    warm_start: bool = False
    low_precision: bool = False


def folding(tuner: RobustTuner) -> Folding | None:
    """How the tuner's strategy folds its modules into the weights; None where it cannot."""
    if type(tuner.strategy).merged is Strategy.merged:
        return None
    return partial(tuner.strategy.merged, tuner.backbone)


def identify(
    attack: Adversary,
    perturb: str,
    conditions: Conditions = Conditions(),
) -> AttackIdentity:
    """Name an attack and everything but its radius that decides a robust accuracy.

    Args:
        attack: The attack; its radius is in the key of each robust accuracy already.
        perturb: Where perturbations live.
        conditions: What else.
    """
    spec = spec_of(attack)
    settings = {key: value for key, value in spec["init_args"].items() if key != "eps"}
    settings["perturb"] = perturb
    if conditions.audit is not None:
        settings["inherit"] = True
        settings["audit"] = conditions.audit
    if conditions.warm_start:
        settings["warm_start"] = True
    if conditions.low_precision:
        settings["precision"] = "bfloat16"
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


def counts(outcomes: Outcomes) -> dict[str, dict[str, int]]:
    """By threat, what speaks for or against the numbers of an evaluation."""
    numbers = {
        threat: {name: int(value) for name, value in asdict(diagnostics).items()}
        for threat, diagnostics in outcomes.diagnostics.items()
    }
    for threat, audit in outcomes.audits.items():
        numbers[threat] |= {
            "audit_left_alone": audit.left_alone,
            "audit_sampled": audit.sampled,
            "audit_broken": audit.broken,
            "audit_overstated_at_most": audit.overstated_at_most(),
        }
    return numbers
