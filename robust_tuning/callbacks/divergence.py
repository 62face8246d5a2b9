"""A training whose loss is no number any more ends there, and is not taken for one that is done."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from robust_tuning.errors import DivergenceError

_EVERY = 20  # steps between looks where a look makes the host wait for the device


class StopAtDivergence(Callback):
    """Ends a training with an error once its loss is NaN or infinite.

    Weights do not recover from that, so a late look sees it as well as an early one: on a GPU the
    loss is looked at every 20 steps and at the end, on a CPU after each step. Under a gradient
    scaler (`16-mixed`), which leaves out a step that overflows, 20 looks in a row have to find it.
    """

    def __init__(self) -> None:
        self._in_a_row = 0

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401  Lightning's
        batch: Any,  # noqa: ANN401, ARG002  Lightning's
        batch_idx: int,
    ) -> None:
        """Look at the loss of a batch.

        Raises:
            DivergenceError: If it is not finite in one of the processes.
        """
        last = trainer.is_last_batch or trainer.global_step == trainer.max_steps
        if pl_module.device.type != "cpu" and batch_idx % _EVERY and not last:
            return
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        lost = isinstance(loss, torch.Tensor) and not bool(loss.isfinite().all())
        # All processes end together, or the others would wait for one that is gone.
        lost = trainer.strategy.reduce_boolean_decision(lost, all=False)
        self._in_a_row = self._in_a_row + 1 if lost else 0
        scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
        if self._in_a_row >= (_EVERY if scaled else 1):
            message = (
                f"the training loss is not finite at step {trainer.global_step}: lower model.lr or "
                "set trainer.gradient_clip_val; trainer.precision 16-mixed overflows where "
                "bf16-mixed does not"
            )
            raise DivergenceError(message)
