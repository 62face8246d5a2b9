"""Frost on the window."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from robust_tuning.shifts.corruptions.draws import Draws
from robust_tuning.shifts.corruptions.frost_textures import TEXTURES, texture
from robust_tuning.shifts.corruptions.levels import truncated


def frost(images: Tensor, draws: Draws, parameters: tuple[float, float, int]) -> Tensor:
    """Add a part of one of five frost textures.

    The reference takes photographs of frost (five of its six: its random index never reaches the
    last), which cannot be shipped; here they are generated, see `frost_textures`. Textures are
    periodic, and so large enough for every image. Frost on images of another size than the table's
    has the grain of the table's.

    Args:
        images: `(B, 3, H, W)` uint8.
        draws: Which texture, and which part of it.
        parameters: Weight of the image, weight of the frost, and by how much the texture is
            reduced: 5 in CIFAR-C, by OpenCV's linear interpolation, which there takes every fifth
            pixel.
    """
    image_weight, frost_weight, reduction = parameters
    textures = _textures(reduction, images.device)
    side = textures.shape[-1]
    which, top, left = (draws.below(i, n, 1, 1) for i, n in enumerate((len(textures), side, side)))
    rows = (top + torch.arange(images.shape[2], device=images.device)[:, None]) % side
    columns = (left + torch.arange(images.shape[3], device=images.device)) % side
    # An index in front and two behind put the channels last.
    added = textures[which, :, rows, columns].permute(0, 3, 1, 2)
    return truncated(images * image_weight + added * frost_weight)


@lru_cache(maxsize=2)
def _textures(reduction: int, device: torch.device) -> Tensor:
    """`(5, 3, side, side)` float32."""
    textures = [texture(number) for number in range(len(TEXTURES))]
    start = reduction // 2
    reduced = np.stack(textures)[:, :, start::reduction, start::reduction]
    return torch.from_numpy(reduced.astype(np.float32)).to(device)
