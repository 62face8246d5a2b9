"""Evaluating on a schedule, without leaving a trace in the training."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from robust_tuning.callbacks.interruption import leaving
from robust_tuning.callbacks.measurement import Measurement
from robust_tuning.callbacks.recorder import FrontierRecorder
from robust_tuning.callbacks.schedule import Schedule
from robust_tuning.callbacks.unfinished import Unfinished
from robust_tuning.data import BenchmarkDataModule
from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import FrontierPoint
from robust_tuning.processes import Processes
from robust_tuning.tuner import RobustTuner
from robust_tuning.types import Batch, Split

_FLOAT32_WEIGHTS = ("32-true", "bf16-mixed", "16-mixed")


class ScheduledEvaluation(Callback, ABC):
    """Measures something at the steps of a schedule and hands it to the recorder.

    During `fit` it evaluates `split` when the schedule says so, never in the sanity pass and never
    twice at a step; under `validate` and `test` it evaluates that split once. Several evaluations
    at one step and of one split make one point.

    Args:
        schedule: When, during `fit`.
        split: Where the examples come from during `fit`. Choosing anything by the test split makes
            its numbers worthless as a test; `test` is for repeating the study's protocol.
        n: How many examples, always the same ones; None takes the whole split.

    Raises:
        ConfigurationError: If `n` is not positive.
    """

    def __init__(self, *, schedule: Schedule, split: Split, n: int | None) -> None:
        if n is not None and n < 1:
            message = f"n is {n}, expected a positive number of examples, or null for all"
            raise ConfigurationError(message)
        self.schedule = schedule
        self.split = split
        self.n = n
        self._last_step = -1

    @property
    def idle(self) -> bool:
        """Whether there is nothing to measure, ever."""
        return False

    @abstractmethod
    def measure(
        self, trainer: Trainer, tuner: RobustTuner, data: BenchmarkDataModule, split: Split
    ) -> Measurement:
        """Evaluate the model as it is, leaving no trace.

        Where there are several processes they share the work, and find the same.

        Args:
            trainer: For the progress bar alone.
            tuner: The model.
            data: Where the examples come from.
            split: Which of them.
        """

    @abstractmethod
    def is_in(self, point: FrontierPoint) -> bool:
        """Whether a point holds what this evaluation measures."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check that there is a benchmark to take the examples from, and a float32 model.

        Raises:
            ConfigurationError: If not.
        """
        del pl_module, stage
        if not isinstance(trainer_data(trainer), BenchmarkDataModule):
            message = (
                f"{type(self).__name__} needs a BenchmarkDataModule to take its examples from; "
                "pass one as the trainer's datamodule"
            )
            raise ConfigurationError(message)
        if trainer.precision not in _FLOAT32_WEIGHTS:
            message = (
                f"trainer.precision is {trainer.precision}, in which no float32 pass of the model "
                f"can decide what is misclassified: expected {', '.join(_FLOAT32_WEIGHTS)}"
            )
            raise ConfigurationError(message)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Evaluate before the first step, or what an interruption left out at this one."""
        left_out = self.schedule.at_epoch_ends and trainer.is_last_batch
        if left_out or self.schedule.due(trainer.global_step):
            self._evaluate_once(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        *_: Any,  # noqa: ANN401  the batch
    ) -> None:
        """Evaluate at the scheduled steps."""
        if self.schedule.due(trainer.global_step):
            self._evaluate_once(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Evaluate at the ends of epochs."""
        if self.schedule.at_epoch_ends:
            self._evaluate_once(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Evaluate the final state.

        Not in `on_train_end`, which a run that was interrupted after its last step never reaches.
        """
        if self.schedule.end or self.schedule.at_epoch_ends:
            self._evaluate_once(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Evaluate under the `validate` verb."""
        if trainer.state.fn == "validate":
            self._evaluate(trainer, pl_module, "validation")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Evaluate under the `test` verb."""
        self._evaluate(trainer, pl_module, "test")

    def state_dict(self) -> dict[str, Any]:
        """The last step that was evaluated."""
        return {"last_step": self._last_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue after the last step that was evaluated."""
        self._last_step = state_dict["last_step"]

    def _evaluate_once(self, trainer: Trainer, pl_module: LightningModule) -> None:
        step = trainer.global_step
        if step == self._last_step or self.idle:
            return
        processes = Processes.current()
        with processes.together():
            for recorder in recorders(trainer):
                recorder.begin(trainer, cast("RobustTuner", pl_module))
            # A checkpoint may be older than the evaluation at its step, whose point then stands.
            due = not any(r.has(step, self.split, self.is_in) for r in recorders(trainer))
            if processes.gather(due)[0]:  # of the process that records
                with leaving(trainer):
                    self._evaluate(trainer, pl_module, self.split)
        self._last_step = step

    def _evaluate(self, trainer: Trainer, pl_module: LightningModule, split: Split) -> None:
        if self.idle:
            return
        tuner = cast("RobustTuner", pl_module)
        data = cast("BenchmarkDataModule", trainer_data(trainer))
        processes = Processes.current()
        with processes.together():
            # Running statistics differ since the last training pass, which begins with the same.
            processes.align(tuner.backbone.buffers())
            measurement = self.measure(trainer, tuner, data, split)
            for recorder in recorders(trainer):
                recorder.record(trainer, tuner, measurement)
                Unfinished(recorder.path, trainer).forget()


def trainer_data(trainer: Trainer) -> object:
    """The trainer's data module, if it has one."""
    return getattr(trainer, "datamodule", None)


def recorders(trainer: Trainer) -> list[FrontierRecorder]:
    """The trainer's recorders."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set by its init
    return [callback for callback in callbacks if isinstance(callback, FrontierRecorder)]


def prepared(tuner: RobustTuner, examples: Iterable[Batch]) -> Iterator[Batch]:
    """The examples on the model's device, where perturbations live."""
    for batch in examples:
        with torch.no_grad():
            images = tuner.prepare(batch.images.to(tuner.device))
        yield Batch(images, batch.labels, batch.indices)
