"""What an evaluation is given must be what it says."""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from robust_tuning.errors import DataError

log = logging.getLogger(__name__)


def check_images(images: Tensor) -> None:
    """Refuse what is no batch of pixels in [0, 1].

    Raises:
        DataError: Says what was got.
    """
    # Half precision cannot hold a radius: its pixels lie up to 1/2048 apart.
    if images.dtype not in (torch.float32, torch.float64) or images.dim() != 4:
        message = (
            f"images are {images.dtype} of shape {tuple(images.shape)}, "
            "expected float32 (B, C, H, W) in [0, 1]"
        )
        raise DataError(message)
    low, high = (float(bound) for bound in images.aminmax())
    if not (low >= 0 and high <= 1):  # also refuses NaN
        message = (
            f"images lie in [{low:g}, {high:g}], expected [0, 1]: give pixels that are not "
            "normalised (normalisation is the model's first layer)"
        )
        raise DataError(message)


def check_logits(logits: Tensor, labels: Tensor) -> None:
    """Refuse answers that are no numbers, and labels that the model does not know.

    Raises:
        DataError: Says what was got.
    """
    if not logits.isfinite().all():
        message = (
            "the model's logits are not finite: training has diverged; lower the learning rate"
        )
        raise DataError(message)
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        message = (
            f"labels run from {int(labels.min())} to {int(labels.max())}, "
            f"but the model has {logits.shape[1]} classes"
        )
        raise DataError(message)


def check_model(model: nn.Module) -> None:
    """Say what about a model is probably a mistake.

    - Two layers that normalise, each with a mean and a standard deviation per channel: pixels that
      are normalised twice make a radius mean something else. A guess by the layers' attributes.
    - Layers in training mode within a model that is in evaluation mode. They are evaluated as the
      rest is.
    """
    normalising = [
        name or "the model itself"
        for name, module in model.named_modules()
        if _numbers(module, "mean") and _numbers(module, "std")
    ]
    if len(normalising) > 1:
        log.warning(
            "the model seems to normalise twice, in %s: a radius then is not in pixel units; "
            "normalise once, in its first layer",
            " and in ".join(normalising[:3]),
        )
    training = [name for name, module in model.named_modules() if module.training]
    if training and not model.training:
        log.warning(
            "%d layers of a model in evaluation mode are in training mode (first: %s): they are "
            "evaluated in evaluation mode, and left as they were",
            len(training),
            training[0],
        )


def check_count(count: int, expected: int | None) -> None:
    """Refuse an evaluation of fewer examples than were asked for.

    Raises:
        DataError: Says how many there were.
    """
    if expected is not None and count < expected:
        message = (
            f"there were {count} examples, expected {expected}: the loader dropped some "
            "(drop_last, a sampler?); robust accuracies of different examples cannot be compared"
        )
        raise DataError(message)


def _numbers(module: nn.Module, name: str) -> bool:
    """Whether a module has numbers per channel under a name, and such as do something."""
    value = getattr(module, name, None)
    if isinstance(value, Sequence) and all(isinstance(number, float | int) for number in value):
        value = torch.tensor([float(number) for number in value])
    if not isinstance(value, Tensor) or value.numel() not in (1, 3):
        return False
    return not bool((value == (0 if name == "mean" else 1)).all())
