"""Auto-PGD: gradient ascent with momentum that finds its step size by itself."""

import math
from dataclasses import dataclass, fields, replace
from typing import cast

import torch
from torch import Tensor

from robust_tuning.attacks.base import (
    Attack,
    AttackState,
    Budget,
    Targets,
    initial,
    margins,
    misclassified,
)
from robust_tuning.attacks.losses import (
    Loss,
    check_classes,
    check_loss,
    loss_values,
    ranked_others,
)
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.threat import ThreatModel, parse_fraction
from robust_tuning.errors import ConfigurationError
from robust_tuning.types import Norm

_MOMENTUM = 0.75


@dataclass
class APGDState(AttackState):
    """Where Auto-PGD stands.

    Attributes:
        targets: The class that a targeted loss draws to `(B,)`.
        previous: Where the last step began `(B, C, H, W)`.
        best: The iterate of the largest loss `(B, C, H, W)`.
        best_gradient: The gradient there `(B, C, H, W)`.
        best_loss: The loss there `(B,)`.
        last_loss: The loss of the iterate before, zero in place of the start's `(B,)`.
        step_size: `(B,)`.
        rises: How many iterates since the last checkpoint have raised the loss `(B,)`.
        checked_loss: The largest loss at the last checkpoint `(B,)`.
        reduced: Whether the step size was halved at the last checkpoint `(B,)`.
    """

    targets: Tensor
    previous: Tensor
    best: Tensor
    best_gradient: Tensor
    best_loss: Tensor
    last_loss: Tensor
    step_size: Tensor
    rises: Tensor
    checked_loss: Tensor
    reduced: Tensor


def checkpoints(steps: int, rho: float) -> tuple[int, ...]:
    """When the step size is reconsidered, and how few rises of the loss then count as too few.

    The first window lasts 22 % of the steps, each further one 3 % less, but none under 6 %.

    Args:
        steps: The budget.
        rho: Share of the steps in a window that must raise the loss.

    Returns:
        For each number of steps taken, from 0 to the budget: -1 where there is no checkpoint,
        otherwise the largest number of rises with which the step size is halved.

    >>> [step for step, allowed in enumerate(checkpoints(100, 0.75)) if allowed >= 0]
    [22, 41, 57, 70, 80, 87, 93, 99]
    >>> checkpoints(8, 0.75)
    (-1, 0, 0, 0, 0, 0, 0, 0, 0)
    """
    window, shrinkage, shortest = (max(int(share * steps), 1) for share in (0.22, 0.03, 0.06))
    allowed = [-1] * (steps + 1)
    step = window
    while step <= steps:
        # A share that is a hair under a whole number in binary means that number.
        allowed[step] = math.floor(rho * window + 1e-9)
        window = max(window - shrinkage, shortest)
        step += window
    return tuple(allowed)


class APGD(Attack):
    """Auto-PGD: projected gradient ascent with momentum and step sizes that halve when they must.

    From a random point of the ball's surface, with a first step of `2 eps`:
    `z = project(x_k + step * steepest(gradient))`,
    `x_{k+1} = project(x_k + 0.75 (z - x_k) + 0.25 (x_k - x_{k-1}))`. At each checkpoint the step is
    halved and the search goes back to its best point, where the loss rose in at most `rho` of the
    steps since the last one, or where neither the step nor the best loss has changed since.

    Source: F. Croce and M. Hein, "Reliable evaluation of adversarial robustness with an ensemble of
    diverse parameter-free attacks", arXiv 2003.01690, algorithm 1, and its reference implementation
    (checkpoints in whole steps; the first iterate's loss is compared with zero, not the start's).
    Given the same start it takes the same path, with these differences: an example stops at its
    first misclassified iterate, the start included, since its verdict is reached; a direction is
    found for gradients too small to be squared; gradients that are not finite point nowhere. The
    norm l1 of a later paper (arXiv 2103.01208) is not offered.

    Args:
        eps: Radius in [0, 1] pixel units: a number or a fraction such as `4/255`.
        norm: `linf` or `l2`.
        loss: What is made large, see `losses`: `ce` (cross-entropy), `dlr` (difference of logits
            ratio, 3 classes or more), `dlr_targeted` (4 or more) or `margin` (of probabilities).
        steps: Gradient steps; the start and each iterate take one pass forth and back.
        rho: Share of the steps between checkpoints that must raise the loss, in [0, 1].
        target: Rank of the class that `dlr_targeted` draws to, among the classes other than the
            label by the clean image's logits; 1 is the most likely.
        seed: Where the random starts come from.

    Raises:
        ConfigurationError: If a setting is out of range; from `start`, if the model has too few
            classes for the loss or the target.
    """

    takes_starts = True

    def __init__(
        self,
        *,
        eps: float | str = "1/255",
        norm: Norm = "linf",
        loss: Loss = "ce",
        steps: int = 100,
        rho: float = 0.75,
        target: int = 1,
        seed: int = 0,
    ) -> None:
        check_loss(loss)
        if steps < 1:
            message = f"APGD's steps is {steps}, expected at least 1"
            raise ConfigurationError(message)
        if not 0 <= rho <= 1:
            message = f"APGD's rho is {rho}, expected 0 <= rho <= 1"
            raise ConfigurationError(message)
        if target < 1 or (target > 1 and loss != "dlr_targeted"):
            message = (
                f"APGD's target is {target}, expected at least 1, and 1 with any loss but "
                f"'dlr_targeted' (got {loss!r})"
            )
            raise ConfigurationError(message)
        self.eps = eps
        self.norm = norm
        self.loss: Loss = loss
        self.steps = steps
        self.rho = rho
        self.target = target
        self.seed = seed
        self.threat = ThreatModel(norm, parse_fraction(eps, "eps"))
        self._checkpoints = checkpoints(steps, rho)

    @property
    def budget(self) -> Budget:
        """The start and each step, forth and back."""
        return Budget(self.steps + 1, self.steps + 1)

    def start(self, targets: Targets) -> APGDState:
        """Take the starting points given or draw some, and choose the target classes."""
        check_classes(self.loss, targets.logits.shape[1], self.target)
        begin = targets.starts
        if begin is None:
            begin = targets.images + self._noise(targets)
        start = self.threat.project(begin, targets.images)
        common = initial(targets, start)
        zeros = torch.zeros_like(start[:, 0, 0, 0])
        return APGDState(
            **{field.name: getattr(common, field.name) for field in fields(common)},
            targets=ranked_others(targets.logits, targets.labels)[:, self.target - 1],
            previous=start,
            best=start,
            best_gradient=torch.zeros_like(start),
            best_loss=zeros - torch.inf,
            last_loss=zeros,
            step_size=zeros + 2 * self.threat.eps,
            rises=torch.zeros_like(targets.labels),
            checked_loss=zeros - torch.inf,
            reduced=common.broken,
        )

    def step(self, model: Oracle, state: AttackState) -> APGDState:
        """Judge the iterates, reconsider the step sizes where it is time, and take a step."""
        state = cast("APGDState", state)  # begun by `start`
        labels, targets = state.labels, state.targets
        seen = model.gradient(
            state.adversarial,
            lambda logits: loss_values(self.loss, logits, labels, targets),
            labels,
        )
        broken = misclassified(seen.logits, labels)
        spent = state.steps >= self.steps
        flat = seen.images.flatten(1)
        # A gradient that is not finite points nowhere; the diagnostics count it.
        gradient = seen.images.nan_to_num(0.0, 0.0, 0.0)
        known, back = self._reconsider(_remember(state, seen.values, gradient))
        here = _where(back, known.best, state.adversarial)
        moved = self._move(known, here, _where(back, known.best_gradient, gradient))
        moving = ~(broken | spent)
        return replace(
            known,
            adversarial=_where(moving, moved, state.adversarial),
            previous=here,
            steps=state.steps + moving,
            broken=broken,
            spent=spent,
            margin=torch.minimum(state.margin, margins(seen.logits, labels)),
            zero_gradient=state.zero_gradient & (flat == 0).all(1),
            bad_gradient=state.bad_gradient | ~flat.isfinite().all(1),
        )

    def _reconsider(self, state: APGDState) -> tuple[APGDState, Tensor]:
        """Halve the step sizes that are too large; also says whose `(B,)`."""
        table = torch.tensor(self._checkpoints, device=state.steps.device)
        allowed = table[state.steps]
        due = allowed >= 0
        stuck = ~state.reduced & (state.checked_loss >= state.best_loss)
        halved = due & ((state.rises <= allowed) | stuck)
        changed = replace(
            state,
            step_size=torch.where(halved, state.step_size / 2, state.step_size),
            rises=state.rises.masked_fill(due, 0),
            checked_loss=torch.where(due, state.best_loss, state.checked_loss),
            reduced=torch.where(due, halved, state.reduced),
        )
        return changed, halved

    def _move(self, state: APGDState, here: Tensor, gradient: Tensor) -> Tensor:
        """A step from `here`, and some of the step before it once more."""
        length = state.step_size.view(-1, 1, 1, 1)
        ahead = self.threat.project(here + length * self.threat.steepest(gradient), state.images)
        # At the first step there is none before it.
        share = torch.where(state.steps > 0, _MOMENTUM, 1.0).to(here.dtype).view(-1, 1, 1, 1)
        candidates = here + share * (ahead - here) + (1 - share) * (here - state.previous)
        return self.threat.project(candidates, state.images)

    def _noise(self, targets: Targets) -> Tensor:
        shape = targets.images.shape[1:]
        noise = [self._surface_point(key, shape) for key in targets.keys.tolist()]
        return torch.stack(noise).to(targets.images)

    def _surface_point(self, key: int, shape: torch.Size) -> Tensor:
        generator = torch.Generator().manual_seed(key)  # on the CPU: every device gets the same
        if self.norm == "linf":
            direction = torch.rand(shape, generator=generator, dtype=torch.float32) * 2 - 1
            length = direction.abs().max()
        else:
            direction = torch.randn(shape, generator=generator, dtype=torch.float32)
            length = direction.norm()
        point: Tensor = direction * (self.threat.eps / length)
        return point


def _remember(state: APGDState, values: Tensor, gradient: Tensor) -> APGDState:
    """Note the loss of the iterate: is it the best so far, did it rise?"""
    better = values > state.best_loss
    begun = state.steps > 0
    return replace(
        state,
        best=_where(better, state.adversarial, state.best),
        best_gradient=_where(better, gradient, state.best_gradient),
        best_loss=torch.where(better, values, state.best_loss),
        rises=state.rises + (begun & (values > state.last_loss)),
        last_loss=torch.where(begun, values, state.last_loss),
    )


def _where(rows: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Images of one tensor in some rows, of another in the rest."""
    return torch.where(rows.view(-1, 1, 1, 1), yes, no)
