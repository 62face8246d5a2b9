"""The study's learning-rate schedules, which end exactly when training does."""

import logging
import math
from abc import ABC, abstractmethod

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from robust_tuning.errors import ConfigurationError

log = logging.getLogger(__name__)


class WarmupDecay(LRScheduler, ABC):
    """Linear warm-up to the learning rate, then a decay to zero, per optimiser step.

    Args:
        optimizer: What to schedule.
        warmup_steps: Steps of the warm-up. A warm-up that would fill the whole run is shortened to
            a tenth of it, with a warning.
        total_steps: Steps of the run; None takes the trainer's own number.

    Raises:
        ConfigurationError: If a number of steps is negative.
    """

    def __init__(
        self, optimizer: Optimizer, *, warmup_steps: int = 0, total_steps: int | None = None
    ) -> None:
        if warmup_steps < 0 or (total_steps is not None and total_steps < 1):
            message = (
                f"warmup_steps is {warmup_steps}, expected 0 or more; "
                f"total_steps is {total_steps}, expected 1 or more"
            )
            raise ConfigurationError(message)
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps
        super().__init__(optimizer)
        if total_steps is not None:
            self.end_at(total_steps)

    def end_at(self, total_steps: int) -> None:
        """Fix the length of the run; called by the tuner where `total_steps` was left open."""
        self.total_steps = total_steps
        if self.warmup_steps >= total_steps:
            shorter = total_steps // 10
            message = "a warm-up of %d steps fills this run of %d steps: shortened to %d"
            log.warning(message, self.warmup_steps, total_steps, shorter)
            self.warmup_steps = shorter
        self._apply()

    @abstractmethod
    def decay(self, progress: float) -> float:
        """Factor of the learning rate after the share `progress` in [0, 1] of the decay."""

    def get_lr(self) -> list[float | Tensor]:
        """Learning rate of each group at the current step."""
        return [float(base) * self._factor() for base in self.base_lrs]

    def _factor(self) -> float:
        step = self.last_epoch
        if step < self.warmup_steps:
            return step / self.warmup_steps
        if self.total_steps is None:
            return 1.0
        length = max(1, self.total_steps - self.warmup_steps)
        return self.decay(min(1.0, (step - self.warmup_steps) / length))

    def _apply(self) -> None:
        for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = lr
        self._last_lr = self.get_lr()


class CosineDecay(WarmupDecay):
    """Half a cosine from the learning rate to zero: the study's for all but full fine-tuning.

    Source: `cosine` of Hugging Face's Trainer, which the study's code names.
    """

    def decay(self, progress: float) -> float:
        """Cosine factor."""
        return 0.5 * (1 + math.cos(math.pi * progress))


class LinearDecay(WarmupDecay):
    """A straight line from the learning rate to zero: the study's for full fine-tuning.

    Source: `linear` of Hugging Face's Trainer, its default.
    """

    def decay(self, progress: float) -> float:
        """Linear factor."""
        return 1 - progress
