"""The vocabulary that every room shares; no logic."""

from typing import Literal, NamedTuple

import torch

Split = Literal["train", "validation", "test"]
Norm = Literal["linf", "l2"]


class Batch(NamedTuple):
    """Examples as they travel from a data module to the model.

    Attributes:
        images: `(B, 3, H, W)` float32 in [0, 1], not normalised.
        labels: `(B,)` int64 in `[0, num_classes)`.
        indices: `(B,)` int64, the identity of each example within its benchmark: the same image has
            the same index in every run, whatever the batch size, order or process.
    """

    images: torch.Tensor
    labels: torch.Tensor
    indices: torch.Tensor


class Bounds(NamedTuple):
    """The range of valid pixel values."""

    low: float = 0.0
    high: float = 1.0
