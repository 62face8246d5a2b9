"""Where Auto-PGD stands."""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from robust_tuning.attacks.base import AttackState, Targets, initial


@dataclass
class APGDState(AttackState):
    """Adds what the search remembers: for all norms, then with momentum, then for `l1`.

    Attributes:
        targets: The class that a targeted loss draws to `(B,)`.
        iterate: Where the next gradient is taken `(B, C, H, W)`.
        inside: Whether that lies in the ball, and is `adversarial` `(B,)`.
        best: The iterate of the largest loss `(B, C, H, W)`.
        best_gradient: The gradient there `(B, C, H, W)`.
        best_loss: The loss there `(B,)`.
        step_size: `(B,)`.
        previous: Where the last step began `(B, C, H, W)`.
        last_loss: The loss of the iterate before, zero in place of the start's `(B,)`.
        rises: How many iterates since the last checkpoint have raised the loss `(B,)`.
        checked_loss: The largest loss at the last checkpoint `(B,)`.
        reduced: Whether the step size was halved at the last checkpoint `(B,)`.
        density: Which share of the components a step follows `(B,)`.
        moved: How many pixels of the best iterate differed at the last checkpoint `(B,)` int64.
    """

    targets: Tensor
    iterate: Tensor
    inside: Tensor
    best: Tensor
    best_gradient: Tensor
    best_loss: Tensor
    step_size: Tensor
    previous: Tensor
    last_loss: Tensor
    rises: Tensor
    checked_loss: Tensor
    reduced: Tensor
    density: Tensor
    moved: Tensor


def begun(targets: Targets, classes: Tensor, start: Tensor, *, inside: bool = True) -> APGDState:
    """The state before the first pass, with steps of no length yet.

    Args:
        targets: The examples.
        classes: That a targeted loss draws to `(B,)`.
        start: The first iterate `(B, C, H, W)`.
        inside: Whether it lies in the ball.
    """
    common = initial(targets, start if inside else targets.images)
    zeros = torch.zeros_like(start[:, 0, 0, 0])
    counts = torch.zeros_like(targets.labels)
    return APGDState(
        **{field.name: getattr(common, field.name) for field in fields(common)},
        targets=classes,
        iterate=start,
        inside=torch.full_like(common.broken, inside),
        best=start,
        best_gradient=torch.zeros_like(start),
        best_loss=zeros - torch.inf,
        step_size=zeros,
        previous=start,
        last_loss=zeros,
        rises=counts,
        checked_loss=zeros - torch.inf,
        reduced=common.broken,
        density=zeros,
        moved=counts,
    )


def noted(state: APGDState, values: Tensor, gradient: Tensor) -> APGDState:
    """Remember the iterate where its loss is larger than any before.

    Args:
        state: Where the search stands.
        values: The losses of the iterates `(B,)`.
        gradient: Their gradients `(B, C, H, W)`.
    """
    better = values > state.best_loss
    return replace(
        state,
        best=where_rows(better, state.iterate, state.best),
        best_gradient=where_rows(better, gradient, state.best_gradient),
        best_loss=torch.where(better, values, state.best_loss),
    )


def where_rows(rows: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Images of one tensor in some rows `(B,)`, of another in the rest."""
    return torch.where(rows.view(-1, 1, 1, 1), yes, no)
