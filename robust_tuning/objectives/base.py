"""What a training objective has to say."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn


class LossOutput(NamedTuple):
    """One batch's loss.

    Attributes:
        loss: Scalar to minimise.
        logits: `(B, num_classes)`.
        parts: Named scalars to log besides.
    """

    loss: Tensor
    logits: Tensor
    parts: dict[str, Tensor]


class Objective(nn.Module, ABC):
    """The training loss, plain or robust."""

    @abstractmethod
    def forward(self, model: nn.Module, images: Tensor, labels: Tensor) -> LossOutput:
        """Compute the loss of a batch.

        Args:
            model: Images in [0, 1] to logits.
            images: `(B, 3, H, W)` float32 in [0, 1].
            labels: `(B,)` int64.
        """
