"""How the Square attack begins, and how it changes one image into another."""

from dataclasses import dataclass

import torch
from torch import Tensor

from robust_tuning.attacks.l1_ball import onto_l1_ball
from robust_tuning.attacks.square_windows import bumps, stamped, windows
from robust_tuning.attacks.tables import on_device
from robust_tuning.attacks.threat import ThreatModel
from robust_tuning.randomness import signs, uniform
from robust_tuning.types import Bounds

_BOUNDS = Bounds()
# Keeps the direction of an empty perturbation defined.
_TINY = 1e-12
# Of the radius, under l1: so far the reference stays within it.
_INSIDE = 1 - 1e-6


@dataclass(frozen=True)
class Base:
    """What is perturbed, by how much, and which random numbers are due.

    Attributes:
        images: `(B, C, H, W)` in [0, 1].
        threat: The norm and the radius.
        keys: Of the examples' random streams `(B,)`.
        draws: Which draw from each stream it is `(B,)`.
    """

    images: Tensor
    threat: ThreatModel
    keys: Tensor
    draws: Tensor

    def numbers(self, n: int) -> Tensor:
        """Uniform in [0, 1) `(B, n)` float64."""
        return uniform(self.keys, self.draws, n)


def stripes(base: Base) -> Tensor:
    """Columns of `+-eps`, each of its own sign in each channel."""
    batch, channels, _, width = base.images.shape
    sign = signs(base.numbers(channels * width)).to(base.images)
    offsets = base.threat.eps * sign.view(batch, channels, 1, width)
    return (base.images + offsets).clamp(*_BOUNDS)


def recolour(base: Base, best: Tensor, sides: tuple[int, ...], which: Tensor) -> Tensor:
    """Give a random window the perturbation `+eps` or `-eps` throughout, by channel.

    Source: arXiv 1912.00049, algorithm 2. What was there before lies at one end of the interval or
    the other, so that adding `+-2 eps` and projecting comes to the same.

    Args:
        base: The originals.
        best: The images to change `(B, C, H, W)`.
        sides: Of the windows at each stage of the search.
        which: The stage of each row `(B,)` int64.
    """
    batch, channels, height, width = best.shape
    numbers = base.numbers(2 + channels)
    side = on_device(sides, which.device)[which]
    window = windows(numbers[:, :2], side, height, width)
    sign = signs(numbers[:, 2:]).to(best).view(batch, channels, 1, 1)
    coloured = (base.images + base.threat.eps * sign).clamp(*_BOUNDS)
    return torch.where(window.mask, coloured, best)


def tiles(base: Base) -> Tensor:
    """As many bumps as fit side by side, five across the shorter side, each of its own direction.

    Bumps have another sign in each channel; together they are as long as the radius. For `l1` they
    are projected on the ball instead, which leaves the summits.
    """
    batch, channels, height, width = base.images.shape
    device = base.images.device
    tile = max(min(height, width) // 5, 1)
    down, across = height // tile, width // tile
    rows = torch.arange(height, device=device) - (height - down * tile) // 2
    columns = torch.arange(width, device=device) - (width - across * tile) // 2
    inside = ((rows >= 0) & (rows < down * tile))[:, None] & (
        (columns >= 0) & (columns < across * tile)
    )
    place = ((rows // tile)[:, None] * across + columns // tile) * inside

    numbers = base.numbers(down * across * (1 + channels))
    turned = (numbers[:, : down * across] < 0.5)[:, place]
    sign = signs(numbers[:, down * across :]).to(base.images).view(batch, channels, -1)
    pattern = bumps((tile,), base.threat.norm, base.images.dtype, device)[0]
    upright = pattern[(rows % tile)[:, None], columns % tile]
    lying = pattern.T[(rows % tile)[:, None], columns % tile]
    heights = torch.where(turned, lying, upright) * inside
    return _at_radius(base, heights[:, None] * sign[:, :, place])


def transport(base: Base, best: Tensor, sides: tuple[int, ...], which: Tensor) -> Tensor:
    """Put together in one random window what it and another hold, with a bump added.

    In each channel the window gets the direction of `bump + old / |old|` and for `l2` the length
    `sqrt(|both windows|^2 + unused / C)`, with `unused = max(eps^2 - |perturbation|^2, 0)`; the
    other window is emptied, and the whole brought to the radius. For `l1` the length is
    `C |both windows| + unused`, with `unused = max(eps - |perturbation|, 0)`, and the whole is
    projected on the ball.

    Source: arXiv 1912.00049, algorithm 3; for `l1` the reference implementation that belongs to
    arXiv 2103.01208.

    Args:
        base: The originals.
        best: The images to change `(B, C, H, W)`.
        sides: Of the windows at each stage of the search.
        which: The stage of each row `(B,)` int64.
    """
    batch, channels, height, width = best.shape
    order = 1 if base.threat.norm == "l1" else 2
    numbers = base.numbers(5 + channels)
    side = on_device(sides, which.device)[which]
    target = windows(numbers[:, :2], side, height, width)
    source = windows(numbers[:, 2:4], side, height, width)
    sign = signs(numbers[:, 5:]).to(best).view(batch, channels, 1, 1)
    patterns = bumps(sides, base.threat.norm, best.dtype, best.device)
    added = sign * stamped(patterns, which, numbers[:, 4] < 0.5, target)

    offsets = best - base.images
    length = _length(base, offsets, target.mask | source.mask)
    old = offsets / (_lengths(offsets * target.mask, (2, 3), order) + _TINY)
    new = (added + old) * target.mask
    new = new * length / (_lengths(new, (2, 3), order) + _TINY)
    emptied = offsets.masked_fill(source.mask, 0)
    return _at_radius(base, torch.where(target.mask, new, emptied))


def _length(base: Base, offsets: Tensor, windows: Tensor) -> Tensor:
    """That of a window that takes in what two hold, and what the radius leaves unused."""
    channels = offsets.shape[1]
    if base.threat.norm == "l1":
        unused = (base.threat.eps - _lengths(offsets, (1, 2, 3), 1)).clamp_min(0)
        return channels * _lengths(offsets * windows, (2, 3), 1) + unused
    unused = (base.threat.eps**2 - _lengths(offsets, (1, 2, 3), 2) ** 2).clamp_min(0)
    return (_lengths(offsets * windows, (2, 3), 2) ** 2 + unused / channels).sqrt()


def _at_radius(base: Base, offsets: Tensor) -> Tensor:
    if base.threat.norm == "l1":
        scaled = onto_l1_ball(offsets, base.images, base.threat.eps * _INSIDE)
    else:
        scaled = offsets * (base.threat.eps / (_lengths(offsets, (1, 2, 3), 2) + _TINY))
    return (base.images + scaled).clamp(*_BOUNDS)


def _lengths(offsets: Tensor, dims: tuple[int, ...], order: int) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(offsets, order, dims, keepdim=True)
    return lengths
