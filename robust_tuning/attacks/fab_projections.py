"""The nearest point of a hyperplane within the box of valid pixels."""

import torch
from torch import Tensor

from robust_tuning.types import Bounds, Norm

_BOUNDS = Bounds()


def to_hyperplane(points: Tensor, normals: Tensor, heights: Tensor, norm: Norm) -> Tensor:
    r"""The shortest offset that brings each point onto its hyperplane without leaving the box.

    Minimises `|offset|` subject to `<normal, offset> = -height` and `0 <= point + offset <= 1`
    (arXiv 1907.02044, equation 2). For `l1`, pixels move one after the other against their
    components `w_i` of the normal, the largest first, each to its bound, until the plane is
    reached. For the other norms all move together, at the same speed for `linf` and at speed
    `|w_i|` for `l2`, until the bounds stop them:

    `offset_i = -sign(w_i) min(time * speed_i, room_i)`.

    The distance covered, `sum_i |w_i| min(time * speed_i, room_i)`, is piecewise linear in the
    time, with a corner where a pixel runs out of room: the corners are sorted, and the time is
    found exactly between two of them.

    Reference: `fab_projections.py` of AutoAttack, which bisects over the corners. Deviation: for
    `l2` and `l1` it leaves pixels with `|w_i| < 1e-8` where they are; here none is left out.

    Args:
        points: `(B, N)` in [0, 1].
        normals: `(B, N)`, of any length.
        heights: `<normal, point>` above that of the plane `(B,)`; positive, negative or zero.
        norm: Which length of the offset is minimal.

    Returns:
        Offsets `(B, N)`. Where the plane misses the box, they lead to a point of the box that comes
        nearest to it, all pixels that matter being at their bounds.

    >>> point, normal = torch.tensor([[0.5, 0.9]]), torch.tensor([[-1.0, -1.0]])
    >>> to_hyperplane(point, normal, torch.tensor([0.4]), "linf")
    tensor([[0.3000, 0.1000]])
    """
    # The length of the normal is free; like this, the squares of small ones do not underflow.
    largest = normals.abs().amax(1)
    scale = torch.where(largest > 0, largest, 1.0)
    weights = normals.abs() / scale[:, None]
    distance = (heights / scale).abs()
    against = -torch.where(heights < 0, -1.0, 1.0)[:, None] * normals.sign()

    room = torch.where(against > 0, _BOUNDS.high - points, points - _BOUNDS.low).clamp_min(0)
    if norm == "l1":
        return against * _largest_first(weights, room, distance)
    speeds = (weights > 0).to(weights) if norm == "linf" else weights
    corners = torch.where(weights > 0, room / speeds, 0)
    times = _arrival(corners, weights * speeds, weights * room, distance)
    # By comparison rather than as a minimum, since `inf * 0` would say nothing.
    return against * torch.where(times[:, None] >= corners, room, times[:, None] * speeds)


def _largest_first(weights: Tensor, room: Tensor, distance: Tensor) -> Tensor:
    """How far each pixel moves, if those move first that cover most on their way `(B, N)`.

    Args:
        weights: What a pixel covers per way it moves `(B, N)`, not negative.
        room: How far it can move `(B, N)`.
        distance: What all have to cover together `(B,)`.
    """
    falling, order = weights.sort(1, descending=True)
    space = room.gather(1, order)
    covered = (falling * space).cumsum(1)
    left = distance[:, None] - torch.nn.functional.pad(covered, (1, 0))[:, :-1]
    # Zero by zero, where a pixel covers nothing, says nothing.
    ways = torch.where(falling > 0, torch.minimum(left.clamp_min(0) / falling, space), 0)
    return torch.zeros_like(ways).scatter(1, order, ways)


def _arrival(corners: Tensor, rates: Tensor, covered: Tensor, distance: Tensor) -> Tensor:
    """When the distance has been covered `(B,)`; after the last corner where it is too long.

    Args:
        corners: When each pixel stops `(B, N)`.
        rates: What it covers per time until then `(B, N)`.
        covered: What it has covered then `(B, N)`.
        distance: What all have to cover together `(B,)`.
    """
    stops, order = corners.sort(1)
    # What those cover that have stopped before each corner.
    before = covered.gather(1, order).cumsum(1)
    before = torch.nn.functional.pad(before, (1, 0))[:, :-1]
    # Of those that still move, summed from the last one: what remains is not lost in rounding.
    moving = rates.gather(1, order).flip(1).cumsum(1).flip(1)
    reached = before + moving * stops
    corner = (reached < distance[:, None]).sum(1, keepdim=True).clamp_max(corners.shape[1] - 1)
    # A normal of zero covers nothing, and no distance is covered at once.
    rate = moving.gather(1, corner).squeeze(1).clamp_min(torch.finfo(moving.dtype).tiny)
    return ((distance - before.gather(1, corner).squeeze(1)) / rate).clamp_min(0)
