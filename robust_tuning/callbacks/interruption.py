"""Ctrl-C and preemption: finish the step, save, stop."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from lightning.pytorch import Callback, LightningModule, Trainer

from robust_tuning.callbacks.checkpoint import can_continue
from robust_tuning.callbacks.progress import announce
from robust_tuning.callbacks.slurm import requeue, requeue_signal

T = TypeVar("T")


class SaveOnInterrupt(Callback):
    """Saves `last.ckpt` when training is interrupted, at a moment that can be continued exactly.

    The first Ctrl-C (SIGINT, or SIGTERM) lets the step in progress end, and after the last one of
    an epoch the validation pass; an evaluation is left at once, since a resumed run goes on with
    it, or after the next step of an attack, where several processes share it. A second Ctrl-C
    stops at once and keeps the last regular checkpoint. The signal by which SLURM asks for it puts
    the job back into the queue besides. Where several processes train, they stop after the same
    step. Belongs before the evaluations in the list of callbacks.

    Args:
        folder: Where `last.ckpt` goes.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._asked = False
        self._can_save = False
        self._at_once = True
        self._requeue_signal: signal.Signals | None = None
        self._requeues = False
        self._speaks = True
        self._forward: Callable[[int], None] | None = None

    @contextmanager
    def leaving(self, *, at_once: bool) -> Iterator[None]:
        """Let an interruption end what is done in this context, and save.

        Args:
            at_once: Wherever it is; or after one of the steps that are reported (`reporting`).
        """
        self._can_save, self._at_once = True, at_once
        yield
        self._can_save = False  # not after an exception: `on_exception` asks

    def leave_if_asked(self) -> None:
        """End what is done within `leaving`.

        Raises:
            KeyboardInterrupt: If asked to.
        """
        if self._asked:
            raise KeyboardInterrupt

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over the signals; Lightning puts back what was there when training ends."""
        del pl_module
        self._requeue_signal = requeue_signal(trainer)
        self._speaks = trainer.is_global_zero
        launcher = trainer.strategy.launcher
        self._forward = None if launcher is None else launcher.kill
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, self._requeue_signal):
                if number is not None:
                    signal.signal(number, self._interrupt)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401  Lightning's signature
        batch: Any,  # noqa: ANN401  Lightning's signature
        batch_idx: int,
    ) -> None:
        """Stop here, if asked and if training can be continued from here."""
        del pl_module, outputs, batch
        if can_continue(trainer, batch_idx):
            self._stop_if_asked(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop here, if asked."""
        del pl_module
        self._stop_if_asked(trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Save, unless the interruption came in the middle of a step."""
        del pl_module
        if not isinstance(exception, KeyboardInterrupt):
            return
        can_save, self._can_save = self._can_save, False  # no signal interrupts what follows
        if can_save and trainer.global_step > 0:
            trainer.save_checkpoint(Path(self.folder) / "last.ckpt")
            self._say("interrupted; continue with the same command and --ckpt_path last")
        if self._requeues and trainer.is_global_zero:
            requeue()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._requeues |= number == self._requeue_signal
        if number == signal.SIGTERM and not self._asked and self._forward is not None:
            self._forward(number)  # to the processes that this one has started
        # A scheduler may say it several times; a person who does means it.
        if (self._can_save and self._at_once) or (self._asked and number == signal.SIGINT):
            raise KeyboardInterrupt
        if not self._asked:
            self._say("stopping after this step; Ctrl-C once more stops at once, without saving")
        self._asked = True

    def _say(self, words: str) -> None:
        if self._speaks:
            announce(words)

    def _stop_if_asked(self, trainer: Trainer) -> None:
        if trainer.world_size > 1:
            # All of them or none: who goes on alone waits for the others for ever.
            self._asked = trainer.strategy.reduce_boolean_decision(self._asked, all=False)
        if self._asked:
            self._can_save = True
            raise KeyboardInterrupt


@contextmanager
def leaving(trainer: Trainer) -> Iterator[None]:
    """Let an interruption end what is done in this context, if the trainer saves on one."""
    saver = _saver(trainer)
    if saver is None:
        yield
        return
    # A process that exchanges something with others must not be torn out of it.
    with saver.leaving(at_once=trainer.world_size == 1):
        yield


def reporting(trainer: Trainer, show: Callable[[T], None] | None) -> Callable[[T], None]:
    """What an evaluation calls after each step: shows it, and ends there if that was asked for.

    Between two steps no process waits for another, so that one can end: the others hear of it from
    `Processes`, and end as well.
    """
    saver = _saver(trainer)

    def report(progress: T) -> None:
        if saver is not None:
            saver.leave_if_asked()
        if show is not None:
            show(progress)

    return report


def _saver(trainer: Trainer) -> SaveOnInterrupt | None:
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set by its init
    return next((one for one in callbacks if isinstance(one, SaveOnInterrupt)), None)
