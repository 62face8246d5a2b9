"""What part of a photograph the model sees, at what size: fixed, nothing random."""

from dataclasses import dataclass
from typing import Protocol

import torch.nn.functional as F  # noqa: N812  the field's name for it
from torch import Tensor

from robust_tuning.types import ImageInput


class View(Protocol):
    """From decoded pixels to what a loader hands out; the `repr` says all that decides it."""

    @property
    def shorter_side(self) -> int:
        """To how many pixels the shorter side is reduced."""
        ...

    def __call__(self, image: Tensor) -> Tensor:
        """Show `(3, H, W)` uint8 as `(3, H', W')` uint8."""
        ...


@dataclass(frozen=True)
class CentreCrop:
    """Resize and crop around the centre, as the backbone was evaluated by its authors."""

    input: ImageInput

    @property
    def shorter_side(self) -> int:
        """Before the crop."""
        return round(self.input.size / self.input.crop_fraction)

    def __call__(self, image: Tensor) -> Tensor:
        """Show the centre, `(3, size, size)`."""
        size = self.input.size
        resized = resize(image, proportional(image, self.shorter_side), self.input.interpolation)
        top, left = ((length - size) // 2 for length in resized.shape[-2:])
        return resized[:, top : top + size, left : left + size].contiguous()


@dataclass(frozen=True)
class WholeImage:
    """Resize to a square, whatever the proportions: the study's way of training."""

    input: ImageInput

    @property
    def shorter_side(self) -> int:
        """The input's own."""
        return self.input.size

    def __call__(self, image: Tensor) -> Tensor:
        """Show everything, `(3, size, size)`."""
        return resize(image, (self.input.size, self.input.size), self.input.interpolation)


@dataclass(frozen=True)
class Proportional:
    """Everything in its own proportions, for random crops; small images stay as they are."""

    input: ImageInput

    @property
    def shorter_side(self) -> int:
        """A seventh more than the input's: 256 for 224."""
        return round(self.input.size * 8 / 7)

    def __call__(self, image: Tensor) -> Tensor:
        """Show everything, `(3, H, W)` of which the shorter is at most `shorter_side`."""
        if min(image.shape[-2:]) <= self.shorter_side:
            return image.contiguous()
        return resize(image, proportional(image, self.shorter_side), self.input.interpolation)


def proportional(image: Tensor, shorter_side: int) -> tuple[int, int]:
    """Height and width in an image's proportions."""
    scale = shorter_side / min(image.shape[-2:])
    height, width = (max(shorter_side, round(length * scale)) for length in image.shape[-2:])
    return height, width


def resize(image: Tensor, size: tuple[int, int], interpolation: str) -> Tensor:
    """Resize `(3, H, W)` uint8 with antialiasing, computed in integers.

    Within one grey level of Pillow's `Image.resize`, in a quarter of its time.
    """
    if tuple(image.shape[-2:]) == size:
        return image.contiguous()
    resized = F.interpolate(
        image[None], size, mode=interpolation, align_corners=False, antialias=True
    )
    return resized[0].contiguous()
