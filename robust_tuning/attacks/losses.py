"""What an attack makes large: one value per example, the larger the nearer to another answer."""

from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812  the field's name for it
from torch import Tensor

from robust_tuning.errors import ConfigurationError

Loss = Literal["ce", "dlr", "dlr_targeted", "margin"]

_CLASSES: dict[Loss, int] = {"ce": 2, "dlr": 3, "dlr_targeted": 4, "margin": 2}
# Where all logits are equal, a ratio of their differences must not divide by zero.
_TINY = 1e-12


def check_loss(loss: str) -> None:
    """Refuse a loss that there is not.

    Raises:
        ConfigurationError: Names those that there are.
    """
    if loss not in _CLASSES:
        message = f"loss is {loss!r}, expected one of {', '.join(map(repr, _CLASSES))}"
        raise ConfigurationError(message)


def check_classes(loss: Loss, classes: int, target: int = 1) -> None:
    """Refuse a model with too few classes for a loss.

    Args:
        loss: Its name.
        classes: Of the model.
        target: Which of the other classes is the target, 1 being the most likely.

    Raises:
        ConfigurationError: Says what to use instead.
    """
    if classes < _CLASSES[loss]:
        advice = "" if _CLASSES[loss] == 2 else ": use loss 'margin' or 'ce'"
        message = (
            f"loss {loss!r} needs at least {_CLASSES[loss]} classes, but the model has "
            f"{classes}{advice}"
        )
        raise ConfigurationError(message)
    if target >= classes:
        message = (
            f"target is {target}, but besides its label the model has {classes - 1} classes: "
            f"expected 1 <= target <= {classes - 1}"
        )
        raise ConfigurationError(message)


def loss_values(loss: Loss, logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """The loss of each example `(B,)`.

    Args:
        loss: `ce`, `dlr`, `dlr_targeted` or `margin`: the functions below.
        logits: `(B, K)`.
        labels: `(B,)` int64.
        targets: The class that the loss draws to `(B,)` int64; of use to `dlr_targeted` alone.

    >>> logits, labels = torch.tensor([[4.0, 3.0, 1.0, 0.0]]), torch.tensor([0])
    >>> loss_values("dlr", logits, labels, labels)
    tensor([-0.3333])
    >>> loss_values("dlr_targeted", logits, labels, torch.tensor([2]))
    tensor([-0.8571])
    """
    match loss:
        case "ce":
            return F.cross_entropy(logits, labels, reduction="none")
        case "dlr":
            return dlr(logits, labels)
        case "dlr_targeted":
            return dlr_targeted(logits, labels, targets)
        case "margin":
            return probability_margin(logits, labels)


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """The difference of logits ratio, `-(z_y - max_{i != y} z_i) / (z_(1) - z_(3))`.

    `z_(k)` is the k-th largest logit. Neither a shift nor a scale of the logits changes it, so that
    a confident model does not hide its gradients. In [-1, 0] where the answer is right.

    Source: F. Croce and M. Hein, arXiv 2003.01690, equation 6.
    """
    ranked = logits.topk(3, dim=1).values
    return -(_of(logits, labels) - _best_other(logits, labels)) / (
        ranked[:, 0] - ranked[:, 2] + _TINY
    )


def dlr_targeted(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Its targeted form, `-(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2)`.

    Source: F. Croce and M. Hein, arXiv 2003.01690, equation 7.
    """
    ranked = logits.topk(4, dim=1).values
    return -(_of(logits, labels) - _of(logits, targets)) / (
        ranked[:, 0] - 0.5 * (ranked[:, 2] + ranked[:, 3]) + _TINY
    )


def probability_margin(logits: Tensor, labels: Tensor) -> Tensor:
    """By how much another class is more probable than the label, `max_{i != y} p_i - p_y`.

    `p` is the softmax of the logits. In [-1, 1]; its gradient vanishes where the model is sure, as
    that of the cross-entropy does.

    Source: Y. Xie et al., "Towards Million-Scale Adversarial Robustness Evaluation With Stronger
    Individual Attacks", arXiv 2411.15210 (probability margin attack).
    """
    probabilities = logits.softmax(1)
    return _best_other(probabilities, labels) - _of(probabilities, labels)


def ranked_others(logits: Tensor, labels: Tensor) -> Tensor:
    """The classes other than the label, the most likely first `(B, K - 1)`."""
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.argsort(dim=1, descending=True, stable=True)[:, :-1]


def _of(values: Tensor, classes: Tensor) -> Tensor:
    return values.gather(1, classes[:, None]).squeeze(1)


def _best_other(values: Tensor, labels: Tensor) -> Tensor:
    # By index, because amax would share its gradient among classes that are equal.
    others = values.scatter(1, labels[:, None], -torch.inf)
    return _of(values, others.argmax(1))
