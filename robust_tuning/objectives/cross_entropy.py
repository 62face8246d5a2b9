"""The study's objective."""

import torch.nn.functional as F  # noqa: N812  the field's name for it
from torch import Tensor, nn

from robust_tuning.errors import ConfigurationError
from robust_tuning.objectives.base import LossOutput, Objective


class CrossEntropy(Objective):
    """Mean cross-entropy of the clean images.

    Args:
        label_smoothing: Probability spread over all classes, in [0, 1).

    Raises:
        ConfigurationError: If `label_smoothing` is out of range.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            message = f"label_smoothing is {label_smoothing}, expected in [0, 1)"
            raise ConfigurationError(message)
        self.label_smoothing = label_smoothing

    def forward(self, model: nn.Module, images: Tensor, labels: Tensor) -> LossOutput:
        """Compute the loss of a batch."""
        logits: Tensor = model(images)
        loss = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        return LossOutput(loss, logits, {})
