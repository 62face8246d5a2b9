"""Stretched and shifted like rubber."""

from typing import NamedTuple

import torch
from torch import Tensor

from robust_tuning.shifts.corruptions.draws import LEVELS, Draws
from robust_tuning.shifts.corruptions.filters import gaussian
from robust_tuning.shifts.corruptions.levels import truncated


class Stretch(NamedTuple):
    """How far, in pixels.

    Attributes:
        height: Of the displacements before they are smoothed.
        sigma: Of their smoothing.
        affine: By how much three points of the image move.
    """

    height: float
    sigma: float
    affine: float


def elastic_transform(images: Tensor, draws: Draws, stretch: Stretch) -> Tensor:
    """Move three points at random, then every pixel, with linear interpolation each time.

    The points are the centre, plus and minus a third of the shorter side, of which three corners of
    a square are moved by the affine map. Where OpenCV finds positions to 1/32 of a pixel, here they
    are exact. On images that are not square the reference takes the centre's coordinates in the
    wrong order; here they are in the right one. Displacements are in pixels, whatever the size.

    Args:
        images: `(B, 3, H, W)` uint8.
        draws: Where points and pixels go.
        stretch: How far.
    """
    height, width = images.shape[-2:]
    turned = sampled(images.float(), *_affine(draws, height, width, stretch.affine), edge=True)
    noise = (draws.levels(1, 2, height, width).double() + 0.5) * (2 / LEVELS) - 1
    smooth = gaussian(noise, stretch.sigma, "reflect", truncate=3) * stretch.height
    across, down = smooth.unbind(1)
    rows = torch.arange(height, device=images.device)[:, None]
    columns = torch.arange(width, device=images.device)
    return truncated(sampled(turned, rows + down, columns + across, edge=False))


def _affine(draws: Draws, height: int, width: int, reach: float) -> tuple[Tensor, Tensor]:
    """Where each pixel comes from if three points move by up to `reach` along each axis."""
    # Coordinates are x, y; points at the centre plus (s, s), (s, -s) and (-s, -s).
    side = min(height, width) // 3
    moves = (draws.uniform(0, 3, 2).double() * 2 - 1) * reach
    first, second, third = moves.unbind(1)
    along_x = (second - third) / (2 * side)
    along_y = (first - second) / (2 * side)
    shift_x, shift_y = ((first + third) / 2)[:, :, None, None].unbind(1)
    a, c = along_x[:, :, None, None].unbind(1)
    b, d = along_y[:, :, None, None].unbind(1)
    a, d = a + 1, d + 1
    centre_y, centre_x = height // 2, width // 2
    rows = torch.arange(height, device=draws.keys.device, dtype=torch.float64)[:, None]
    columns = torch.arange(width, device=draws.keys.device, dtype=torch.float64)
    x, y = columns - centre_x - shift_x, rows - centre_y - shift_y
    determinant = a * d - b * c
    return (a * y - c * x) / determinant + centre_y, (d * x - b * y) / determinant + centre_x


def sampled(images: Tensor, rows: Tensor, columns: Tensor, *, edge: bool) -> Tensor:
    """Interpolate linearly at any place, reflecting at the borders.

    Args:
        images: `(B, C, H, W)` float32.
        rows: `(B, H', W')` float64.
        columns: Likewise.
        edge: Reflect at the middle of the border's pixels (OpenCV's `REFLECT_101`); otherwise at
            their outer edge (SciPy's `reflect`).

    Returns:
        `(B, C, H', W')` float32.
    """
    batch, channels, height, width = images.shape
    top, below, down = _between(rows, height, edge)
    left, beside, right = _between(columns, width, edge)
    flat = images.flatten(2)

    def at(row: Tensor, column: Tensor) -> Tensor:
        places = (row * width + column).reshape(batch, 1, -1).expand(-1, channels, -1)
        return flat.gather(2, places).reshape(batch, channels, *row.shape[1:])

    upper, lower = at(top, left), at(below, left)
    upper += (at(top, beside) - upper) * right[:, None]
    lower += (at(below, beside) - lower) * right[:, None]
    return upper + (lower - upper) * down[:, None]


def _between(places: Tensor, size: int, edge: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The two pixels around each place, and how far it is from the first."""
    margin = 0.0 if edge else 0.5
    half = size - 1 + 2 * margin
    # The remainder of a negative number is positive.
    inside = (places + margin).remainder(2 * half)
    inside = (torch.minimum(inside, 2 * half - inside) - margin).clamp(0, size - 1)
    first = inside.floor()
    near = first.long()
    return near, (near + 1).clamp(max=size - 1), (inside - first).float()
