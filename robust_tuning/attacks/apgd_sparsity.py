"""How Auto-PGD moves under l1: along few components, as many as have proved of use."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from robust_tuning.attacks.apgd_state import APGDState, begun, noted, where_rows
from robust_tuning.attacks.base import Targets
from robust_tuning.attacks.l1_ball import onto_l1_ball
from robust_tuning.attacks.l1_steps import along_largest
from robust_tuning.attacks.tables import on_device
from robust_tuning.attacks.threat import ThreatModel
from robust_tuning.types import Bounds

_BOUNDS = Bounds()
# Of the components, in the first steps from a random start.
_DENSITY = 0.2
# A step follows so many times fewer components than the best iterate has moved pixels.
_THINNING = 1.5
# The number of moved pixels falls where it is less than this share of that before.
_FALL = 0.95
# The step size is divided by this where the number does not fall, down to a tenth of the radius.
_SHRINKAGE = 1.5
_SMALLEST = 0.1


def plan(steps: int, *, wide: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """In which ball each iterate lies, and which iterates are checkpoints.

    Args:
        steps: The budget.
        wide: Whether balls of three times and twice the radius are searched first, with three
            tenths of the steps each.

    Returns:
        For each iterate the multiple of the radius, and 1 or 0. A ball of `n` steps has `n + 1`
        iterates; one in each 4 % of the steps is a checkpoint.

    >>> balls, due = plan(100, wide=True)
    >>> [balls.count(multiple) for multiple in (3, 2, 1)]
    [31, 31, 41]
    >>> plan(50, wide=False)[1][:7]
    (0, 0, 1, 0, 1, 0, 1)
    """
    part = math.ceil(0.3 * steps)
    phases = ((3, part), (2, part), (1, steps - 2 * part)) if wide else ((1, steps),)
    balls: list[int] = []
    due: list[int] = []
    for multiple, length in phases:
        window = max(int(0.04 * length), 1)
        balls += [multiple] * (length + 1)
        due += [int(step > 0 and step % window == 0) for step in range(length + 1)]
    return tuple(balls), tuple(due)


@dataclass(frozen=True)
class Sparsity:
    """The moves of arXiv 2103.01208, algorithm 1.

    Attributes:
        threat: Under `l1`.
        balls: See `plan`.
        due: See `plan`.
    """

    threat: ThreatModel
    balls: tuple[int, ...]
    due: tuple[int, ...]

    @property
    def moves(self) -> int:
        """The steps, and one move from each ball into the next."""
        return len(self.balls) - 1

    def noise(self, generator: torch.Generator, shape: torch.Size) -> Tensor:
        """Normal noise: far outside of the ball, so that its projection is sparse."""
        return torch.randn(shape, generator=generator, dtype=torch.float32)

    def begin(self, targets: Targets, classes: Tensor, point: Tensor, *, told: bool) -> APGDState:
        """Before the first pass: in the first ball, or where told to.

        Args:
            targets: The examples.
            classes: That a targeted loss draws to `(B,)`.
            point: The start, anywhere `(B, C, H, W)`.
            told: Whether it was given, not drawn: then it is taken into the ball itself.
        """
        multiple = 1 if told else self.balls[0]
        radii = torch.full_like(point[:, 0, 0, 0], multiple * self.threat.eps)
        start = _project(point, targets.images, radii)
        state = begun(targets, classes, start, inside=multiple == 1)
        first = torch.full_like(radii, self.balls[0] * self.threat.eps)
        if told or multiple > 1:
            density, moved = _sparsity(start, targets.images)
        else:
            density = torch.full_like(radii, _DENSITY)
            moved = torch.full_like(state.moved, start[0].numel())
        return replace(state, step_size=first, density=density, moved=moved)

    def advance(self, state: APGDState, values: Tensor, gradient: Tensor) -> APGDState:
        """Reconsider density and step size where it is time, and move on, or into a smaller ball.

        Args:
            state: With the iterates that were looked at.
            values: Their losses `(B,)`.
            gradient: Their gradients `(B, C, H, W)`.
        """
        balls = on_device((*self.balls, self.balls[-1]), state.steps.device)
        ball, ahead = (balls[step].to(state.images) for step in (state.steps, state.steps + 1))
        radii = ahead * self.threat.eps
        known, back = self._reconsider(noted(state, values, gradient), ball * self.threat.eps)
        here = where_rows(back, known.best, state.iterate)
        slope = where_rows(back, known.best_gradient, gradient)
        stepped = here + known.step_size.view(-1, 1, 1, 1) * along_largest(slope, _kept(known))
        smaller = ahead < ball
        iterate = _project(where_rows(smaller, known.best, stepped), state.images, radii)
        density, moved = _sparsity(iterate, state.images)
        return replace(
            known,
            iterate=iterate,
            inside=ahead == 1,
            best_loss=known.best_loss.masked_fill(smaller, -torch.inf),
            step_size=torch.where(smaller, radii, known.step_size),
            density=torch.where(smaller, density, known.density),
            moved=torch.where(smaller, moved, known.moved),
        )

    def _reconsider(self, state: APGDState, radii: Tensor) -> tuple[APGDState, Tensor]:
        """Follow fewer components, with long steps again or shorter ones; also says who goes back.

        Where the best iterate has moved fewer pixels than the one before, the search goes on from
        there with steps of the radius.
        """
        due = on_device(self.due, state.steps.device)[state.steps] > 0
        density, moved = _sparsity(state.best, state.images)
        fallen = moved / state.moved < _FALL
        shorter = torch.maximum(state.step_size / _SHRINKAGE, _SMALLEST * radii)
        changed = replace(
            state,
            density=torch.where(due, density, state.density),
            moved=torch.where(due, moved, state.moved),
            step_size=torch.where(due, torch.where(fallen, radii, shorter), state.step_size),
        )
        return changed, due & fallen


def _sparsity(points: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
    """Which share of the components to follow from a point, and how many of its pixels moved."""
    moved = (points != images).flatten(1).sum(1)
    return moved.to(images) / images[0].numel() / _THINNING, moved


def _kept(state: APGDState) -> Tensor:
    """How many components a step follows `(B,)`; rounded as in the reference."""
    size = state.images[0].numel()
    return size - ((1 - state.density) * size).clamp(0, size - 1).long()


def _project(points: Tensor, images: Tensor, radii: Tensor) -> Tensor:
    return (images + onto_l1_ball(points - images, images, radii)).clamp(*_BOUNDS)
