"""The vocabulary that every room shares; no logic."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch

Split = Literal["train", "validation", "test"]
Norm = Literal["linf", "l2", "l1"]


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


@dataclass(frozen=True)
class ImageInput:
    """How a backbone's authors bring photographs to its input for evaluation.

    Attributes:
        size: Side of the square input in pixels.
        crop_fraction: Share of the shorter side that a crop around the centre keeps, in (0, 1].
        interpolation: Of the resizing before it.
    """

    size: int = 224
    crop_fraction: float = 0.875
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
