"""Ctrl-C and preemption: finish the step, save, stop."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from robust_tuning.callbacks.checkpoint import can_continue
from robust_tuning.callbacks.progress import announce


class SaveOnInterrupt(Callback):
    """Saves `last.ckpt` when training is interrupted, at a moment that can be continued exactly.

    The first Ctrl-C (SIGINT, or SIGTERM) lets the step in progress end, and after the last one of
    an epoch the validation pass; an evaluation is left at once, since a resumed run does it again.
    A second Ctrl-C stops at once and keeps the last regular checkpoint. Belongs before the
    evaluations in the list of callbacks.

    Args:
        folder: Where `last.ckpt` goes.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._asked = False
        self._can_save = False

    @contextmanager
    def leaving_at_once(self) -> Iterator[None]:
        """Let an interruption end what is done in this context, and save."""
        self._can_save = True
        yield
        self._can_save = False  # not after an exception: `on_exception` asks

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over the signals; Lightning puts back what was there when training ends."""
        del trainer, pl_module
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
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
            self._stop_if_asked()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop here, if asked."""
        del trainer, pl_module
        self._stop_if_asked()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Save, unless the interruption came in the middle of a step."""
        del pl_module
        if isinstance(exception, KeyboardInterrupt) and self._can_save and trainer.global_step > 0:
            trainer.save_checkpoint(Path(self.folder) / "last.ckpt")
            announce("interrupted; continue with the same command and --ckpt_path last")

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._asked or self._can_save:
            raise KeyboardInterrupt
        self._asked = True
        announce("stopping after this step; once more stops at once, without saving")

    def _stop_if_asked(self) -> None:
        if self._asked:
            self._can_save = True
            raise KeyboardInterrupt


@contextmanager
def leaving_at_once(trainer: Trainer) -> Iterator[None]:
    """Let an interruption end what is done in this context, if the trainer saves on one."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set by its init
    savers = [callback for callback in callbacks if isinstance(callback, SaveOnInterrupt)]
    if not savers:
        yield
        return
    with savers[0].leaving_at_once():
        yield
