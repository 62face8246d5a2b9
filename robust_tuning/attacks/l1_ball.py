"""The l1 ball cut off by the box of valid pixels: the nearest of its points, random ones."""

import torch
from torch import Tensor

# So often that a threshold 256 times below the largest offset is known to the last bit.
_HALVINGS = {torch.float32: 32, torch.float64: 61}


def onto_l1_ball(offsets: Tensor, images: Tensor, radius: float | Tensor) -> Tensor:
    """The nearest offsets whose absolute values sum to at most the radius, within [0, 1].

    The Euclidean projection on the intersection. By the conditions of Karush, Kuhn and Tucker it
    shortens all offsets by one and the same amount, no further than to zero, and then cuts each off
    at the bound of its pixel; the amount is the smallest with which the sum fits, found by halving.
    To cut off after a projection on the ball alone, as for `l2`, would give away much of the
    radius: what is cut off is lost to the other pixels.

    Source: F. Croce and M. Hein, "Mind the box: l1-APGD for sparse adversarial attacks on image
    classifiers", arXiv 2103.01208, section 2. Its implementation (`L1_projection`) sorts instead,
    in float32, and leaves a few points outside of the ball or not at the nearest place.

    Args:
        offsets: `(B, ...)`, float32 or float64.
        images: The originals, of the same shape, in [0, 1].
        radius: Of the ball, for all or for each row `(B,)`.

    >>> image = torch.tensor([[0.75, 0.5, 0.5]])
    >>> onto_l1_ball(torch.tensor([[0.75, 0.5, 0.125]]), image, 0.5)
    tensor([[0.2500, 0.2500, 0.0000]])
    """
    wide = offsets.flatten(1)
    originals = images.flatten(1)
    sizes = wide.abs()
    room = torch.where(wide > 0, 1 - originals, originals)
    limit = radius.view(-1, 1) if isinstance(radius, Tensor) else radius
    high = sizes.amax(1, keepdim=True)
    low = torch.zeros_like(high)
    fits = _shortened(sizes, low, room).sum(1, keepdim=True) <= limit
    for _ in range(_HALVINGS[offsets.dtype]):
        middle = (low + high) / 2
        over = _shortened(sizes, middle, room).sum(1, keepdim=True) > limit
        low = torch.where(over, middle, low)
        high = torch.where(over, high, middle)
    amount = high.masked_fill(fits, 0)
    return (_shortened(sizes, amount, room) * wide.sign()).view_as(offsets)


def random_in_l1_ball(generator: torch.Generator, shape: torch.Size, radius: float) -> Tensor:
    """A uniformly distributed point of the l1 ball.

    The first `n` of `n + 1` exponential numbers, divided by the sum of all, with random signs.

    Source: F. Barthe et al., "A probabilistic approach to the geometry of the l_p^n ball",
    arXiv math/0503650, theorem 1 with p = 1.

    Args:
        generator: On the CPU.
        shape: Of the point.
        radius: Of the ball.
    """
    lengths = torch.empty(shape.numel() + 1).exponential_(generator=generator)
    signs = torch.rand(shape, generator=generator) - 0.5
    point: Tensor = lengths[:-1].view(shape) * signs.sign() * (radius / lengths.sum())
    return point


def _shortened(sizes: Tensor, amount: Tensor, room: Tensor) -> Tensor:
    return torch.minimum((sizes - amount).clamp_min_(0), room)
