"""Steps of l1 length one along the largest components of a gradient."""

import torch
from torch import Tensor

from robust_tuning.types import Bounds

_BOUNDS = Bounds()
# The share of an image's pixels that a step of sparse descent moves.
_SHARE = 0.01
# No component may be left. The reference's; in float32 nothing beside a number of components.
_TINY = 1e-10


def sparse_descent_step(gradients: Tensor, candidates: Tensor) -> Tensor:
    """The direction of PGD: by equal lengths along the largest hundredth of the components.

    The steepest direction of l1 has a single component, which makes for many steps. Components that
    point out of the box from a pixel on its bound are left out, as they would lead nowhere.

    Source: F. Tramer and D. Boneh, "Adversarial training and robustness for multiple
    perturbations", arXiv 1904.13000 (sparse l1 descent attack, with its percentile of 99). The
    hundredth is a number of components, rounded down, but at least one; ties count as one.

    Args:
        gradients: `(B, C, H, W)`; an all-zero gradient gives no direction.
        candidates: Where they were taken, of the same shape, in [0, 1].
    """
    stuck = ((candidates <= _BOUNDS.low) & (gradients < 0)) | (
        (candidates >= _BOUNDS.high) & (gradients > 0)
    )
    free = gradients.masked_fill(stuck, 0)
    kept = max(int(_SHARE * free[0].numel()), 1)
    return along_largest(free, torch.full_like(free[:, 0, 0, 0], kept, dtype=torch.int64))


def along_largest(gradients: Tensor, kept: Tensor) -> Tensor:
    """The signs of each row's largest components, divided by their number.

    Components that equal the smallest of those kept are kept as well.

    Args:
        gradients: `(B, C, H, W)`.
        kept: How many, from 1 to all `(B,)` int64.
    """
    sizes = gradients.flatten(1).abs()
    ascending = sizes.sort(1).values
    smallest = ascending.gather(1, sizes.shape[1] - kept[:, None])
    signs = gradients.flatten(1).sign() * (sizes >= smallest)
    direction: Tensor = signs / signs.abs().sum(1, keepdim=True).add(_TINY)
    return direction.view_as(gradients)
