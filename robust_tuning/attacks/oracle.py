"""The model as an attack may use it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Model = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Approximation:
    """A faster model of nearly the same answers.

    Attributes:
        model: From images in [0, 1] to logits, with a graph to the images.
        doubt: A lead smaller than this share of the largest logit is looked at again.
    """

    model: Model
    doubt: float


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
        model: `(B, C, H, W)` images in [0, 1] to logits `(B, K)`; its parameters are frozen. It
            alone decides what is misclassified.
        approximation: What gradients come from. Where its answer misclassifies an image, or nearly,
            the model itself is asked.

    Attributes:
        forward: Forward passes so far, in examples.
        backward: Backward passes so far, in examples.
    """

    def __init__(self, model: Model, approximation: Approximation | None = None) -> None:
        self._model = model
        self._approximation = approximation
        self.forward = 0
        self.backward = 0

    @property
    def approximates(self) -> bool:
        """Whether gradients come from another model than verdicts."""
        return self._approximation is not None

    def __call__(self, images: Tensor) -> Tensor:
        """Answer code that is not ours: with a graph, whose backward pass is counted when taken."""
        logits = self._model(images)
        self.forward += len(images)
        if logits.requires_grad:
            logits.register_hook(self._count_backward)  # type: ignore[no-untyped-call]  # torch's
        return logits

    def logits(self, images: Tensor) -> Tensor:
        """Answer without gradients; one forward pass per image."""
        with torch.no_grad():
            logits = self._model(images)
        self.forward += len(images)
        return logits

    def gradient(
        self,
        images: Tensor,
        objective: Callable[[Tensor], Tensor],
        labels: Tensor | None = None,
        judged: Tensor | None = None,
    ) -> Gradient:
        """Answer with the gradient of an objective; one forward and one backward pass per image.

        Args:
            images: `(B, C, H, W)`.
            objective: From logits `(B, K)` to one value per image `(B,)`, that of a row depending
                on the logits of that row alone.
            labels: `(B,)`; given where the logits are to judge the images. An approximation is then
                no longer trusted where it is in doubt, which takes another forward pass of those.
            judged: Whose logits matter `(B,)` bool; None stands for all.
        """
        watched = images.detach().requires_grad_()
        model = self._approximation.model if self._approximation else self._model
        logits = model(watched)
        values = objective(logits)
        (gradients,) = torch.autograd.grad(values.sum(), watched)
        self.forward += len(images)
        self.backward += len(images)
        answer = logits.detach()
        if labels is not None and self._approximation:
            doubt = self._approximation.doubt
            sure = self._sure(answer, labels, doubt)
            answer = self._exact(answer, images, ~sure if judged is None else judged & ~sure)
        return Gradient(answer, values.detach(), gradients)

    @staticmethod
    def _sure(answer: Tensor, labels: Tensor, doubt: float) -> Tensor:
        """Whether the labels lead clearly `(B,)`; not where something is no number."""
        own = answer.gather(1, labels[:, None]).squeeze(1)
        others = answer.scatter(1, labels[:, None], -torch.inf).amax(1)
        return own - others > doubt * answer.abs().amax(1)

    def _exact(self, answer: Tensor, images: Tensor, asked: Tensor) -> Tensor:
        """The model's own answers to some images in place of the approximation's."""
        rows = asked.nonzero().flatten()
        if len(rows):
            answer = answer.clone()
            answer[rows] = self.logits(images[rows]).to(answer.dtype)
        return answer

    def _count_backward(self, gradient: Tensor) -> None:
        self.backward += len(gradient)
