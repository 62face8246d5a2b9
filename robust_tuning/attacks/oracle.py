"""The model as an attack may use it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Model = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Gradient:
    """What a pass forth and back tells of each image.

    Attributes:
        logits: `(B, K)`.
        values: The objective of each image `(B,)`.
        images: Its gradient `(B, C, H, W)`.
    """

    logits: Tensor
    values: Tensor
    images: Tensor


class Oracle:
    """A model whose passes are counted, and whose gradients reach the images alone.

    Args:
        model: `(B, C, H, W)` images in [0, 1] to logits `(B, K)`; its parameters are frozen.

    Attributes:
        forward: Forward passes so far, in examples.
        backward: Backward passes so far, in examples.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.forward = 0
        self.backward = 0

    def __call__(self, images: Tensor) -> Tensor:
        """Answer code that is not ours: with a graph, whose backward pass is counted when taken."""
        self.forward += len(images)
        logits = self._model(images)
        if logits.requires_grad:
            logits.register_hook(self._count_backward)  # type: ignore[no-untyped-call]  # torch's
        return logits

    def logits(self, images: Tensor) -> Tensor:
        """Answer without gradients; one forward pass per image."""
        self.forward += len(images)
        with torch.no_grad():
            return self._model(images)

    def gradient(self, images: Tensor, objective: Callable[[Tensor], Tensor]) -> Gradient:
        """Answer with the gradient of an objective; one forward and one backward pass per image.

        Args:
            images: `(B, C, H, W)`.
            objective: From logits `(B, K)` to one value per image `(B,)`, that of a row depending
                on the logits of that row alone.
        """
        self.forward += len(images)
        self.backward += len(images)
        watched = images.detach().requires_grad_()
        logits = self._model(watched)
        values = objective(logits)
        (gradients,) = torch.autograd.grad(values.sum(), watched)
        return Gradient(logits.detach(), values.detach(), gradients)

    def _count_backward(self, gradient: Tensor) -> None:
        self.backward += len(gradient)
