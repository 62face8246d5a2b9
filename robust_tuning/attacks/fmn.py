"""The fast minimum-norm attack: how near the nearest misclassified image is."""

import math
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from robust_tuning.attacks.base import Attack, AttackState, Budget, Targets, initial, margins
from robust_tuning.attacks.l1_ball import onto_l1_ball
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.threat import ThreatModel, parse_fraction
from robust_tuning.errors import ConfigurationError
from robust_tuning.metrics import misclassified
from robust_tuning.types import Bounds, Norm

_BOUNDS = Bounds()
_ORDERS = {"linf": math.inf, "l2": 2.0, "l1": 1.0}
# What measures a gradient against a length: how far a step of that length can raise the function.
_DUALS = {"linf": 1.0, "l2": 2.0, "l1": math.inf}
_LAST_STEP = 0.01
_LAST_GAMMA = 0.001
# As a divisor it keeps what has no length where it is.
_SMALLEST = 1e-12
# A radius that grows by less than this share of itself does not grow.
_STALLED = 1e-4
# Steps are as long in every norm as they are here.
_STRAIGHT = ThreatModel("l2", 0.0)


@dataclass
class FMNState(AttackState):
    """Adds where the search is; `adversarial` is the nearest misclassified image within `eps`.

    It is the original as long as there is none.

    Attributes:
        points: The image that the next pass will judge, wherever it lies `(B, C, H, W)`.
        radius: How far from the original that was sought `(B,)` float64.
        distance: The smallest length of a perturbation that a pass of the model misclassified, at
            any distance `(B,)` float64; infinite where there is none.
    """

    points: Tensor
    radius: Tensor
    distance: Tensor


class FMN(Attack):
    """Gradient steps on a sphere that shrinks on its far side of the boundary and grows on this.

    With the lead `f(x) = max_{i != y} z_i(x) - z_y(x)`, the radius `r_{k+1}` for the next
    perturbation is

    * `min((1 - gamma_k) r_k, shortest found)` where `x + d_k` is misclassified,
    * `(1 + gamma_k) r_k` where it is not, but another one was before,
    * `r_k + |f| / |gradient|*` otherwise: where the boundary would be, were the model linear (`*`
      is the dual norm),

    and `d_{k+1} = project(d_k + a_k gradient / |gradient|_2)` to that radius, clipped to valid
    pixels. Both `a_k` and `gamma_k` fall along a cosine, to `step_size / 100` and 0.001.

    The search knows nothing of `eps`: one run tells the robust accuracy at every radius, see
    `FMNState.distance`. An example is broken if the shortest perturbation found is at most `eps`;
    all take the whole budget.

    Source: M. Pintor, F. Roli, W. Brendel and B. Biggio, "Fast Minimum-norm Adversarial Attacks
    through Adaptive Norm Constraints", arXiv 2102.12827, algorithm 1. Reference: `fmn` of adv-lib,
    untargeted and from the image itself, which takes the same path with two exceptions, both on
    the way to the first misclassified point. It measures the third case from the length of `d_k`,
    which clipping may have made less than `r_k`: the search then stays on this side for good. And
    it may come to the boundary to the last digit without crossing it: where the third case adds
    less than a ten-thousandth to the radius, the second applies here. As there, the l2 projection
    leads to the sphere also from inside, where the paper leaves points inside alone. Further
    deviations: the l1 projection heeds the bounds of the pixels, instead of clipping afterwards;
    of classes with equal logits the first is taken, not the mean of all; a direction is found for
    gradients too small to be squared; gradients that are not finite point nowhere.

    Args:
        eps: Radius in [0, 1] pixel units: a number or a fraction such as `4/255`.
        norm: `linf`, `l2` or `l1`.
        steps: Images judged, the original among them: one pass forth and back each.
        step_size: Length of the first step, in l2 for every norm and in the units of `eps`.
        gamma: By what share the radius changes at first, at least 0.001 and less than 1.
        seed: Not used: nothing here is random.

    Raises:
        ConfigurationError: If a setting is out of range.
    """

    measures_distance = True

    def __init__(
        self,
        *,
        eps: float | str = "1/255",
        norm: Norm = "linf",
        steps: int = 100,
        step_size: float | str = 1.0,
        gamma: float = 0.05,
        seed: int = 0,
    ) -> None:
        # The original is the first image judged, so that one alone finds nothing.
        if steps < 2:
            message = f"FMN's steps is {steps}, expected at least 2"
            raise ConfigurationError(message)
        if not _LAST_GAMMA <= gamma < 1:
            message = f"FMN's gamma is {gamma}, expected {_LAST_GAMMA} <= gamma < 1"
            raise ConfigurationError(message)
        self.eps = eps
        self.norm = norm
        self.steps = steps
        self.step_size = step_size
        self.gamma = gamma
        self.seed = seed
        self.threat = ThreatModel(norm, parse_fraction(eps, "eps"))
        self._step_length = parse_fraction(step_size, "step_size")
        if not self._step_length:
            message = f"FMN's step_size is {step_size!r}, expected a positive length"
            raise ConfigurationError(message)

    @property
    def budget(self) -> Budget:
        """A pass forth and back for each image judged."""
        return Budget(self.steps, self.steps)

    def start(self, targets: Targets) -> FMNState:
        """Begin at the image itself."""
        none = torch.full_like(targets.labels, torch.inf, dtype=torch.float64)
        return FMNState(
            **vars(initial(targets, targets.images)),
            points=targets.images,
            radius=torch.zeros_like(none),
            distance=none,
        )

    def step(self, model: Oracle, state: AttackState) -> FMNState:
        """Judge each row's point, and move on towards the boundary on a new radius."""
        here = cast("FMNState", state)  # begun by `start`
        seen = model.gradient(here.points, lambda logits: _lead(logits, here.labels), here.labels)
        going = ~(here.broken | here.spent)
        wrong = misclassified(seen.logits, here.labels)
        lead = margins(seen.logits, here.labels)
        length = self._length(here.points, here.images)
        nearer = going & wrong & (length < here.distance)
        within = length <= self.threat.eps
        after = replace(
            here,
            distance=torch.where(nearer, length, here.distance),
            adversarial=torch.where(
                (nearer & within).view(-1, 1, 1, 1), here.points, here.adversarial
            ),
            # What the model says outside the ball is no sign of weakness within.
            margin=torch.where(within, torch.minimum(here.margin, lead), here.margin),
            zero_gradient=here.zero_gradient & (seen.images == 0).flatten(1).all(1),
            bad_gradient=here.bad_gradient | ~seen.images.isfinite().flatten(1).all(1),
        )
        # A gradient that is not finite points nowhere; the diagnostics count it.
        gradients = seen.images.nan_to_num(0.0, 0.0, 0.0)
        # Infinite without a gradient: then the radius is as large as can be.
        ahead = lead.abs() / _norms(gradients, _DUALS[self.norm])
        radius = self._radius(after, wrong, ahead)
        steps = here.steps + going
        spent = steps >= self.steps
        return replace(
            after,
            points=self._moved(after, gradients, radius),
            radius=radius,
            steps=steps,
            # Not before the end: a nearer one may be found until then.
            broken=spent & (after.distance <= self.threat.eps),
            spent=spent,
        )

    def _radius(self, state: FMNState, wrong: Tensor, ahead: Tensor) -> Tensor:
        """The next radius `(B,)`, given how far ahead the boundary is, were the model linear."""
        change = _LAST_GAMMA + (self.gamma - _LAST_GAMMA) * self._cosine(state)
        corner = torch.where(state.images < 0.5, _BOUNDS.high, _BOUNDS.low)
        furthest = self._length(corner, state.images)
        searching = (state.distance == torch.inf) & (ahead > _STALLED * state.radius)
        longer = (1 + change) * torch.maximum(state.radius, _STALLED * furthest)
        longer = torch.where(searching, state.radius + ahead, longer)
        shorter = torch.minimum((1 - change) * state.radius, state.distance)
        return torch.where(wrong, shorter, longer).minimum(furthest)

    def _moved(self, state: FMNState, gradients: Tensor, radius: Tensor) -> Tensor:
        share = _LAST_STEP + (1 - _LAST_STEP) * self._cosine(state)
        lengths = (self._step_length * share).to(gradients).view(-1, 1, 1, 1)
        offsets = state.points - state.images + lengths * _STRAIGHT.steepest(gradients)
        return (state.images + self._onto(offsets, state.images, radius)).clamp(*_BOUNDS)

    def _onto(self, offsets: Tensor, images: Tensor, radius: Tensor) -> Tensor:
        """Bring offsets to a length of at most the radius; in l2, to exactly that."""
        radii = radius.to(offsets).view(-1, 1, 1, 1)
        match self.norm:
            case "linf":
                return torch.maximum(torch.minimum(offsets, radii), -radii)
            case "l2":
                lengths = _norms(offsets, 2).to(offsets).clamp_min(_SMALLEST)
                return offsets * (radii / lengths.view(-1, 1, 1, 1))
            case "l1":
                return onto_l1_ball(offsets, images, radii)

    def _cosine(self, state: FMNState) -> Tensor:
        """From one at the first step, by the shape of a cosine, towards zero `(B,)` float64."""
        return (1 + (math.pi * state.steps.double() / self.steps).cos()) / 2

    def _length(self, points: Tensor, images: Tensor) -> Tensor:
        return _norms(points.double() - images.double(), _ORDERS[self.norm])


def _lead(logits: Tensor, labels: Tensor) -> Tensor:
    """By how much the best other class leads over the label `(B,)`."""
    # By index, because amax would share its gradient among classes that are equal.
    rivals = logits.scatter(1, labels[:, None], -torch.inf).argmax(1, keepdim=True)
    lead: Tensor = (logits.gather(1, rivals) - logits.gather(1, labels[:, None])).squeeze(1)
    return lead


def _norms(offsets: Tensor, order: float) -> Tensor:
    """Lengths `(B,)` in float64, where squares and long sums lose nothing that matters."""
    lengths: Tensor = torch.linalg.vector_norm(offsets.flatten(1), order, 1, dtype=torch.float64)
    return lengths
