"""Accuracy out of distribution, measured while the model is fine-tuned."""

import logging
from collections.abc import Sequence
from typing import Literal

from lightning.pytorch import Callback, LightningModule, Trainer

from robust_tuning.attacks import Adversary, Speed
from robust_tuning.callbacks.adversarial import AdversarialEvaluation, at_radii
from robust_tuning.callbacks.evaluation import ScheduledEvaluation
from robust_tuning.callbacks.interruption import reporting
from robust_tuning.callbacks.measurement import Measurement
from robust_tuning.callbacks.progress import evaluation_bar
from robust_tuning.callbacks.schedule import Schedule
from robust_tuning.callbacks.shift_plan import ShiftPlan
from robust_tuning.callbacks.shifted import ShiftedEvaluation
from robust_tuning.data import BenchmarkDataModule
from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import FrontierPoint
from robust_tuning.shifts import Shift
from robust_tuning.shifts.cache import Cache
from robust_tuning.tuner import RobustTuner
from robust_tuning.types import Split

log = logging.getLogger(__name__)


class OODEvaluation(ScheduledEvaluation):
    """Accuracy and calibration on shifted images at the steps of a schedule.

    What is measured joins the point of the same step. Where several processes train, each
    classifies its share of the images.

    Args:
        shifts: On what to measure; none measures nothing.
        schedule: When, during `fit`; None does with the adversarial evaluation.
        split: Where the examples come from during `fit`; None takes the adversarial evaluation's.
        n: How many examples of each set, always the same ones; `all`, or None for as many as the
            adversarial evaluation takes.
        attack: Attack the shifted images too: robust accuracy under shift, in pixel space after the
            shift.
        eps: Radii to attack at in place of the attack's own, in [0, 1] pixel units.
        batch_size: Examples attacked at a time; it changes the speed, not the result.
        speed: How the attack's gradients may be had faster.
        cache: Keep corrupted images on `disk` for later runs, or in `ram` for this one; `none`
            computes them each time. It changes the speed, not the result.
        cache_dir: Folder of the disk cache; None takes `~/.cache/robust_tuning`.

    Raises:
        ConfigurationError: If an argument is out of range.
    """

    def __init__(
        self,
        *,
        shifts: list[Shift] | None = None,
        schedule: Schedule | None = None,
        split: Split | None = None,
        n: int | Literal["all"] | None = None,
        attack: Adversary | None = None,
        eps: Sequence[float | str] | None = None,
        batch_size: int = 64,
        speed: Speed = Speed(),  # noqa: B008  frozen
        cache: Cache = "none",
        cache_dir: str | None = None,
    ) -> None:
        super().__init__(
            schedule=schedule or Schedule(preset="epoch"),
            split=split or "validation",
            n=None if n == "all" else n,
        )
        if eps is not None and attack is None:
            message = f"ood.eps is {list(eps)}, but no ood.attack is set to attack at these radii"
            raise ConfigurationError(message)
        if cache not in ("none", "ram", "disk"):
            message = f"ood.cache is {cache!r}, expected none, ram or disk"
            raise ConfigurationError(message)
        if batch_size < 1:
            message = f"ood.batch_size is {batch_size}, expected at least 1"
            raise ConfigurationError(message)
        self._follows = {"schedule": schedule is None, "split": split is None, "n": n is None}
        self.plan = ShiftPlan(
            shifts=shifts or [],
            adversaries=[] if attack is None else at_radii(attack, eps),
            batch_size=batch_size,
            speed=speed,
            cache=cache,
            cache_dir=cache_dir,
        )
        self._prepared: dict[Split, ShiftedEvaluation] = {}

    @property
    def idle(self) -> bool:
        """Whether there is nothing to measure."""
        return not self.plan.shifts

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Do as the adversarial evaluation does, where nothing else was said."""
        self._prepared.clear()
        if self.idle:
            return
        super().setup(trainer, pl_module, stage)
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set by its init
        leaders = [c for c in callbacks if isinstance(c, AdversarialEvaluation)]
        for name, follows in self._follows.items():
            if follows and leaders:
                setattr(self, name, getattr(leaders[0], name))

    def measure(
        self, trainer: Trainer, tuner: RobustTuner, data: BenchmarkDataModule, split: Split
    ) -> Measurement:
        """Classify the shifted images."""
        title = f"out of distribution, step {trainer.global_step}"
        if split not in self._prepared:
            self._prepare(trainer, tuner, data, split)
        evaluation = self._prepared[split]
        with evaluation_bar(trainer, title, evaluation.work) as bar:
            return evaluation.measure(tuner, reporting(trainer, bar.advance if bar else None))

    def is_in(self, point: FrontierPoint) -> bool:
        """Whether it was evaluated on shifted images."""
        return bool(point.ood_accuracy)

    def _prepare(
        self, trainer: Trainer, tuner: RobustTuner, data: BenchmarkDataModule, split: Split
    ) -> None:
        """Find the sets, tell what they cost, and keep them if that was asked for."""
        evaluation = ShiftedEvaluation(self.plan, data, split, self.n)
        for words in evaluation.findings:
            log.warning("%s", words)
        if self.plan.cache != "none":
            with evaluation_bar(trainer, "keeping shifted images", evaluation.changed) as bar:
                evaluation.keep(tuner, reporting(trainer, bar.advance if bar else None))
        log.info("out of distribution, %s", evaluation.price(tuner))
        self._prepared[split] = evaluation
