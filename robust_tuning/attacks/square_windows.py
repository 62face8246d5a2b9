"""Square windows of images, one per row of a batch, and the bumps that fill them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Windows:
    """A square of each image, with sides that may differ.

    Attributes:
        rows: Where each row of pixels lies below the top of the window `(B, H, 1)` int64.
        columns: Where each column lies right of its left edge `(B, 1, W)` int64.
        sides: `(B, 1, 1)` int64.
    """

    rows: Tensor
    columns: Tensor
    sides: Tensor

    @property
    def mask(self) -> Tensor:
        """Which pixels lie within `(B, 1, H, W)`."""
        below = (self.rows >= 0) & (self.rows < self.sides)
        right = (self.columns >= 0) & (self.columns < self.sides)
        return (below & right)[:, None]


def windows(numbers: Tensor, sides: Tensor, height: int, width: int) -> Windows:
    """Place windows uniformly where they fit.

    Args:
        numbers: Uniform in [0, 1), for the vertical and the horizontal place `(B, 2)`.
        sides: `(B,)` int64, at most the height and the width.
        height: Of the images.
        width: Of the images.
    """
    room = torch.tensor([height, width], device=sides.device) - sides[:, None]
    places = (numbers * (room + 1)).long()
    rows = torch.arange(height, device=sides.device)[None, :, None] - places[:, 0, None, None]
    columns = torch.arange(width, device=sides.device)[None, None, :] - places[:, 1, None, None]
    return Windows(rows, columns, sides[:, None, None])


def bump(side: int) -> Tensor:
    """Two pyramids one above the other, the lower one upside down `(side, side)` float64.

    Its length is 1. Within a pyramid around `m`, a pixel at (Chebyshev) distance `d` has height
    `sum_{k=d}^{n} 1 / (k + 1)^2`, where `n` is the largest distance or one more.

    Source: arXiv 1912.00049, section 3.4 (`eta`), as its reference implementation discretises it.

    >>> bump(2)
    tensor([[ 0.1387,  0.6934],
            [-0.1387, -0.6934]], dtype=torch.float64)
    """
    upper = side // 2
    halves = torch.cat([_pyramid(upper, side), -_pyramid(side - upper, side)])
    unit: Tensor = halves / halves.norm()
    return unit


def _pyramid(height: int, width: int) -> Tensor:
    terms = torch.arange(1, max(height, width) // 2 + 2, dtype=torch.float64) ** -2
    heights = terms.flip(0).cumsum(0).flip(0)
    rows = (torch.arange(height) - height // 2).abs()
    columns = (torch.arange(width) - width // 2).abs()
    pyramid = heights[torch.maximum(rows[:, None], columns)]
    unit: Tensor = pyramid / pyramid.norm()
    return unit


def bumps(sides: Sequence[int]) -> Tensor:
    """The bumps of several sides, with zeros below and to the right `(len(sides), S, S)`."""
    padded = torch.zeros(len(sides), max(sides), max(sides), dtype=torch.float64)
    for place, side in enumerate(sides):
        padded[place, :side, :side] = bump(side)
    return padded


def stamped(patterns: Tensor, which: Tensor, turned: Tensor, where: Windows) -> Tensor:
    """Put a pattern into each window; what lies outside means nothing.

    Args:
        patterns: `(P, S, S)`.
        which: Of each row `(B,)` int64.
        turned: Whether its rows and columns change places `(B,)` bool.
        where: The windows, of the patterns' sides.

    Returns:
        `(B, 1, H, W)`.
    """
    last = patterns.shape[1] - 1
    rows, columns = where.rows.clamp(0, last), where.columns.clamp(0, last)
    turn = turned[:, None, None]
    first = torch.where(turn, columns, rows)
    second = torch.where(turn, rows, columns)
    return patterns[which[:, None, None], first, second][:, None]
