"""How Auto-PGD moves under linf and l2: with momentum, and step sizes that halve."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from robust_tuning.attacks.apgd_state import APGDState, begun, noted, where_rows
from robust_tuning.attacks.base import Targets
from robust_tuning.attacks.tables import on_device
from robust_tuning.attacks.threat import ThreatModel

_MOMENTUM = 0.75


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


@dataclass(frozen=True)
class Momentum:
    """The moves of arXiv 2003.01690, algorithm 1.

    Attributes:
        threat: Under `linf` or `l2`.
        allowed: See `checkpoints`.
    """

    threat: ThreatModel
    allowed: tuple[int, ...]

    @property
    def moves(self) -> int:
        """How many there are."""
        return len(self.allowed) - 1

    def noise(self, generator: torch.Generator, shape: torch.Size) -> Tensor:
        """A random offset on the surface of the ball."""
        if self.threat.norm == "linf":
            direction = torch.rand(shape, generator=generator, dtype=torch.float32) * 2 - 1
            length = direction.abs().max()
        else:
            direction = torch.randn(shape, generator=generator, dtype=torch.float32)
            length = direction.norm()
        offset: Tensor = direction * (self.threat.eps / length)
        return offset

    def begin(self, targets: Targets, classes: Tensor, point: Tensor, *, told: bool) -> APGDState:  # noqa: ARG002  for `Sparsity` it matters
        """Before the first pass.

        Args:
            targets: The examples.
            classes: That a targeted loss draws to `(B,)`.
            point: The start, anywhere `(B, C, H, W)`.
            told: Whether it was given, not drawn.
        """
        state = begun(targets, classes, self.threat.project(point, targets.images))
        return replace(state, step_size=torch.full_like(state.step_size, 2 * self.threat.eps))

    def advance(self, state: APGDState, values: Tensor, gradient: Tensor) -> APGDState:
        """Reconsider the step sizes where it is time, and take a step.

        Args:
            state: With the iterates that were looked at.
            values: Their losses `(B,)`.
            gradient: Their gradients `(B, C, H, W)`.
        """
        later = state.steps > 0
        known = replace(
            noted(state, values, gradient),
            rises=state.rises + (later & (values > state.last_loss)),
            last_loss=torch.where(later, values, state.last_loss),
        )
        known, back = self._reconsider(known)
        here = where_rows(back, known.best, state.iterate)
        slope = where_rows(back, known.best_gradient, gradient)
        return replace(known, iterate=self._move(known, here, slope), previous=here)

    def _reconsider(self, state: APGDState) -> tuple[APGDState, Tensor]:
        """Halve the step sizes that are too large; also says whose `(B,)`."""
        allowed = on_device(self.allowed, state.steps.device)[state.steps]
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
