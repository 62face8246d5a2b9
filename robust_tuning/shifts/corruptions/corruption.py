"""A corruption of images at one severity."""

from dataclasses import dataclass
from typing import get_args
from zlib import crc32

import torch
from torch import Tensor

from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.shifts.corruptions.draws import Draws
from robust_tuning.shifts.corruptions.tables import EXTRA, STANDARD, Table

SMALLEST_SIDE = 16
# Pixels that are corrupted at a time: enough to be fast, few enough for a processor's cache.
_PIXELS = {"cpu": 1 << 16, "cuda": 1 << 23}


@dataclass(frozen=True)
class Corruption:
    """One of the 19 corruptions of Hendrycks and Dietterich, at one severity.

    The pixels are a function of the image, its key and these settings, whatever the batch, the
    order or the process; on another device a level may differ by one where a value is within
    rounding of a whole one. Two severities of a corruption have different random numbers.

    Attributes:
        name: Which, as in the published data: one of `STANDARD` or `EXTRA`.
        severity: From 1 to 5; 0 leaves images as they are.
        table: Whose parameters: `cifar`, made for images of 32 pixels, or `imagenet`, made for 224.
            They are the same numbers, most of them in pixels, at every size: on images of other
            sizes the corruption is defined but not comparable with published results.

    Raises:
        ConfigurationError: If there is no such corruption, severity or table.

    >>> corrupt = Corruption("fog", 3, "cifar")
    >>> corrupt(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), torch.tensor([4, 7])).shape
    torch.Size([2, 3, 32, 32])
    """

    name: str
    severity: int
    table: Table

    def __post_init__(self) -> None:
        known = (*STANDARD, *EXTRA)
        if self.name not in known:
            message = f"no corruption is called {self.name!r}; choose one of {', '.join(known)}"
            raise ConfigurationError(message)
        if self.severity not in range(6):
            message = f"severity is {self.severity}, expected 1 to 5, or 0 for none"
            raise ConfigurationError(message)
        if self.table not in get_args(Table):
            message = f"table is {self.table!r}, expected one of {', '.join(get_args(Table))}"
            raise ConfigurationError(message)

    @torch.no_grad()
    def __call__(self, images: Tensor, keys: Tensor) -> Tensor:
        """Corrupt a batch.

        Args:
            images: `(B, 3, H, W)` uint8, sides of 16 pixels or more.
            keys: What tells examples apart, `(B,)` int64 on the images' device.

        Returns:
            `(B, 3, H, W)` uint8 on the images' device.

        Raises:
            DataError: If images or keys are not of that form.
        """
        _check(images, keys)
        if self.severity == 0 or len(images) == 0:
            return images.clone()
        recipe = (STANDARD | EXTRA)[self.name]
        parameters = recipe.parameters(self.table, self.severity)
        stream = crc32(self.name.encode()) * 8 + self.severity
        # A result does not depend on its neighbours, so that any division will do.
        height, width = images.shape[-2:]
        size = max(1, _PIXELS.get(images.device.type, _PIXELS["cpu"]) // (height * width))
        parts = [slice(start, start + size) for start in range(0, len(images), size)]
        return torch.cat(
            [recipe.apply(images[part], Draws(keys[part], stream), parameters) for part in parts]
        )


def _check(images: Tensor, keys: Tensor) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        message = f"images are {_form(images)}, expected uint8 of shape (B, 3, H, W)"
        raise DataError(message)
    if min(images.shape[-2:]) < SMALLEST_SIDE:
        message = (
            f"images are of {images.shape[2]} x {images.shape[3]} pixels; corruptions need at "
            f"least {SMALLEST_SIDE} on each side: resize the images first"
        )
        raise DataError(message)
    if keys.dtype != torch.int64 or keys.shape != images.shape[:1]:
        message = f"keys are {_form(keys)}, expected int64 of shape ({len(images)},)"
        raise DataError(message)


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"
