"""Ctrl-C and preemption: finish the step, save, stop."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from robust_tuning.callbacks.progress import announce


class SaveOnInterrupt(Callback):
    """Saves `last.ckpt` when training is interrupted, at a moment that can be continued exactly.

    The first Ctrl-C lets the step or the validation pass in progress end; an evaluation is left at
    once, since a resumed run does it again. A second Ctrl-C stops at once and keeps the last
    regular checkpoint. Belongs before the evaluations in the list of callbacks.

    Args:
        folder: Where `last.ckpt` goes.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._busy = False
        self._asked = False
        self._previous: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over Ctrl-C."""
        del trainer, pl_module
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._interrupt)

    def on_train_batch_start(self, *_: Any) -> None:  # noqa: ANN401  the batch
        """A step has begun: it must end before anything is saved."""
        self._busy = True

    def on_train_batch_end(self, *_: Any) -> None:  # noqa: ANN401  the batch
        """A step has ended."""
        self._free()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A validation pass has begun."""
        del trainer, pl_module
        self._busy = True

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A validation pass has ended."""
        del trainer, pl_module
        self._free()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Save, unless the interruption came in the middle of a step."""
        del pl_module
        asked = isinstance(exception, KeyboardInterrupt | SIGTERMException)
        if asked and not self._busy and trainer.global_step > 0:
            trainer.save_checkpoint(Path(self.folder) / "last.ckpt")
            announce("interrupted; continue with the same command and --ckpt_path last")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Give Ctrl-C back."""
        del trainer, pl_module, stage
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._asked or not self._busy:
            raise KeyboardInterrupt
        self._asked = True
        announce("stopping after this step; once more stops at once, without saving")

    def _free(self) -> None:
        self._busy = False
        if self._asked:
            raise KeyboardInterrupt
