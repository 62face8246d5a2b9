"""What an evaluation is given must be what it says."""

import torch
from torch import Tensor

from robust_tuning.errors import DataError


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
