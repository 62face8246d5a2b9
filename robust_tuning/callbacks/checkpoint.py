"""Checkpoints at the moments from which training continues exactly."""

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from robust_tuning.errors import ConfigurationError


class LastCheckpoint(Checkpoint):
    """Keeps `last.ckpt`, what a run is continued from, after every epoch.

    Lightning resumes from a checkpoint of an epoch's last batch with the next epoch, without the
    validation and the evaluation that were due; and no checkpoint holds gradients that are being
    accumulated. So nothing is saved at either, other than by Lightning's own `ModelCheckpoint`.

    Args:
        dirpath: Where `last.ckpt` goes.
        every_n_train_steps: Save in mid-epoch too, at every multiple of this many optimiser steps.

    Raises:
        ConfigurationError: If the number of steps is not positive.
    """

    def __init__(self, dirpath: str, every_n_train_steps: int | None = None) -> None:
        if every_n_train_steps is not None and every_n_train_steps < 1:
            message = (
                f"checkpoint.every_n_train_steps is {every_n_train_steps}, expected at least 1, "
                "or null for the ends of epochs alone"
            )
            raise ConfigurationError(message)
        self.dirpath = dirpath
        self.every_n_train_steps = every_n_train_steps

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.dirpath) / "last.ckpt"

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401  Lightning's signature
        batch: Any,  # noqa: ANN401  Lightning's signature
        batch_idx: int,
    ) -> None:
        """Save where it is due and can be continued from."""
        del pl_module, outputs, batch
        every = self.every_n_train_steps
        if every and trainer.global_step % every == 0 and can_continue(trainer, batch_idx):
            trainer.save_checkpoint(self.path)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save; as a `Checkpoint`, after the evaluation at the end of the epoch."""
        del pl_module
        trainer.save_checkpoint(self.path)


def can_continue(trainer: Trainer, batch_idx: int) -> bool:
    """Whether a checkpoint at the end of this batch loses nothing; see `LastCheckpoint`."""
    return not trainer.is_last_batch and (batch_idx + 1) % trainer.accumulate_grad_batches == 0
