"""The layers between pixels in [0, 1] and a network's own input."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812  the field's name for it
from torch import Tensor, nn


class Normalize(nn.Module):
    """`(x - mean) / std` per channel.

    Args:
        mean: One value per channel, in [0, 1] pixel units.
        std: One positive value per channel.

    Shape:
        `(B, C, H, W)` to the same.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        # Not persistent: they belong to the pretrained configuration, not to what is trained.
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Normalise `images`."""
        return (images - self.mean) / self.std

    def extra_repr(self) -> str:
        """Show both statistics in the printed model."""
        return f"mean={self.mean.flatten().tolist()}, std={self.std.flatten().tolist()}"


class Resize(nn.Module):
    """Antialiased resizing to a square, kept in [0, 1]; the identity at the right size.

    Bicubic interpolation overshoots at edges, which would leave the pixel range that every threat
    model assumes, hence the clamp.

    Args:
        size: Height and width of the output in pixels.
        interpolation: `bicubic` or `bilinear`; others that timm's configurations name (`random`,
            `lanczos`) have no differentiable counterpart and become `bicubic`.

    Shape:
        `(B, C, H, W)` to `(B, C, *size)`.
    """

    def __init__(self, size: tuple[int, int], interpolation: str = "bicubic") -> None:
        super().__init__()
        self.size = size
        self.interpolation: Literal["bicubic", "bilinear"] = (
            "bilinear" if interpolation == "bilinear" else "bicubic"
        )

    def forward(self, images: Tensor) -> Tensor:
        """Resize `images` unless they have the size already."""
        if tuple(images.shape[-2:]) == self.size:
            return images
        resized = F.interpolate(
            images, self.size, mode=self.interpolation, align_corners=False, antialias=True
        )
        return resized.clamp(0.0, 1.0)

    def extra_repr(self) -> str:
        """Show the target size in the printed model."""
        return f"size={self.size}, interpolation={self.interpolation!r}"
