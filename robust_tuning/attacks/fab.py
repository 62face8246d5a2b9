"""The fast adaptive boundary attack."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from typing import Self, cast

import torch
from torch import Tensor

from robust_tuning.attacks.base import Attack, AttackState, Budget, Targets, initial, margins
from robust_tuning.attacks.fab_projections import to_hyperplane
from robust_tuning.attacks.losses import ranked_others
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.threat import ThreatModel, parse_fraction
from robust_tuning.errors import ConfigurationError
from robust_tuning.metrics import misclassified
from robust_tuning.types import Bounds, Norm

_BOUNDS = Bounds()
# Keeps the share of two distances that are both zero defined.
_SHORTEST = 1e-8
_ORDERS = {"linf": torch.inf, "l2": 2.0, "l1": 1.0}
# What measures a gradient against a length: how far a step of that length can raise the function.
_DUALS = {"linf": 1.0, "l2": 2.0, "l1": torch.inf}
# Odd, so that different restarts of one example never share a seed.
_STRIDE = 0x9E3779B97F4A7C15


@dataclass
class FABState(AttackState):
    """Adds where the search is; `adversarial` is the original until a point breaks the model.

    Attributes:
        points: Where the boundary is looked for, also outside the ball `(B, C, H, W)`.
        rivals: The classes to be reached `(B, R)`.
    """

    points: Tensor
    rivals: Tensor


@dataclass(frozen=True)
class _Plane:
    """Where a class and the label would be equal, were the model linear.

    Attributes:
        heights: The lead of the class `(B,)`.
        normals: Its gradient, zero where it is not finite `(B, C, H, W)`.
        far: How far it is to the plane `(B,)`; infinite without a gradient.
        bad: Whether something was not finite in this gradient or one seen before `(B,)`.
    """

    heights: Tensor
    normals: Tensor
    far: Tensor
    bad: Tensor

    def or_nearer(self, other: Self) -> Self:
        """In each row the nearer of two."""
        nearer = other.far < self.far
        return replace(
            self,
            heights=torch.where(nearer, other.heights, self.heights),
            normals=torch.where(nearer.view(-1, 1, 1, 1), other.normals, self.normals),
            far=torch.minimum(self.far, other.far),
            bad=self.bad | other.bad,
        )


class FAB(Attack):
    """Walks along the boundary between the label and other classes, ever nearer to the image.

    At the point `x` the lead of another class, `f(x) = z_other(x) - z_label(x)`, is taken for
    linear. `P(x)` and `P(x_0)` are the nearest valid images to `x` and to the original `x_0` where
    this line is zero; the next point lies a little (`eta`) beyond, and between the two:

    `x' = (1 - a) (x + eta (P(x) - x)) + a (x_0 + eta (P(x_0) - x_0))`, clipped to valid pixels,
    `a = min(d(x) / (d(x) + d(x_0)), alpha_max)`, with `d` the distances to the boundary.

    Where the model misclassifies `x'` the search goes back towards the image, to
    `x_0 + beta (x' - x_0)`. An example is broken at its first misclassified `x'` within `eps`. One
    that is misclassified farther away goes on.

    The targeted form (`rivals=1`) walks to a single class. With more rivals, each step takes the
    one whose boundary is the nearest, `|f| / |gradient|*` in the dual norm; with all the others
    (`target=1` and one rival less than classes) this is the untargeted form.

    Source: F. Croce and M. Hein, "Minimally distorted adversarial examples with a fast adaptive
    boundary attack", arXiv 1907.02044, equations 2 and 6 to 9 and algorithm 1, and in the targeted
    form AutoAttack (arXiv 2003.01690). Reference: `FABAttack_PT`, with one target where
    `targeted=True`. Deviations: an example leaves once it is broken, while the reference looks for
    a still nearer point (the same examples break); there is no final search on the line to the
    image; the projection is as exact in `l2` and `l1` as in `linf`, see `to_hyperplane`; a gradient
    that is not finite counts as zero.

    A step is one pass forth and one back for each rival, at `x`, and one forward pass, which judges
    `x'`. One pass for both, as in PGD, would cost more: once the boundary has been crossed, which
    takes few steps, most points lie beyond it, and the next gradient is needed where the way back
    ends, not there. That end is not judged, as in the reference.

    Args:
        eps: Radius in [0, 1] pixel units: a number or a fraction such as `4/255`.
        norm: `linf`, `l2` or `l1`.
        steps: Points on the way, in each run.
        target: Which class: 1 is the likeliest but the label on the unperturbed image, 2 the next.
        rivals: How many classes, this one and the next ones.
        restarts: Runs, all but the first from random points halfway to the surface of the ball.
        alpha_max: Largest pull towards the image, in [0, 1].
        eta: How far to go of the way to the boundary, at least 1.
        beta: How much of the way back is left, in (0, 1].
        seed: Where the random points come from.

    Raises:
        ConfigurationError: If a setting is out of range, or the model has too few classes.
    """

    def __init__(
        self,
        *,
        eps: float | str = "1/255",
        norm: Norm = "linf",
        steps: int = 100,
        target: int = 1,
        rivals: int = 1,
        restarts: int = 1,
        alpha_max: float = 0.1,
        eta: float = 1.05,
        beta: float = 0.9,
        seed: int = 0,
    ) -> None:
        limits = {
            f"steps is {steps}, expected at least 1": steps >= 1,
            f"target is {target}, expected at least 1 (the likeliest other class)": target >= 1,
            f"rivals is {rivals}, expected at least 1": rivals >= 1,
            f"restarts is {restarts}, expected at least 1": restarts >= 1,
            f"alpha_max is {alpha_max}, expected 0 <= alpha_max <= 1": 0 <= alpha_max <= 1,
            f"eta is {eta}, expected at least 1": 1 <= eta < float("inf"),
            f"beta is {beta}, expected 0 < beta <= 1": 0 < beta <= 1,
        }
        for limit, holds in limits.items():
            if not holds:
                message = f"FAB's {limit}"
                raise ConfigurationError(message)
        self.eps = eps
        self.norm = norm
        self.steps = steps
        self.target = target
        self.rivals = rivals
        self.restarts = restarts
        self.alpha_max = alpha_max
        self.eta = eta
        self.beta = beta
        self.seed = seed
        self.threat = ThreatModel(norm, parse_fraction(eps, "eps"))

    @property
    def budget(self) -> Budget:
        """Two passes forth for each step, and one back for each rival."""
        total = self.steps * self.restarts
        return Budget(2 * total, self.rivals * total)

    def start(self, targets: Targets) -> FABState:
        """Choose the classes to be reached; the search begins at the image."""
        classes = targets.logits.shape[1]
        last = self.target + self.rivals - 1
        if last >= classes:
            message = (
                f"FAB's target is {self.target} and rivals is {self.rivals}, but a model with "
                f"{classes} classes has only {classes - 1} beside the label: lower them"
            )
            raise ConfigurationError(message)
        ranked = ranked_others(targets.logits, targets.labels)
        return FABState(
            **vars(initial(targets, targets.images)),
            points=targets.images,
            rivals=ranked[:, self.target - 1 : last],
        )

    def step(self, model: Oracle, state: AttackState) -> FABState:
        """Go to the boundary as it looks from each point, and judge where that leads."""
        here = cast("FABState", state)  # begun by `start`
        plane = self._nearest(model, here)
        moved = self._approach(plane, here)
        logits = model.logits(moved)
        wrong = misclassified(logits, here.labels)
        within = self._lengths(moved - here.images) <= self.threat.eps
        going = ~(here.broken | here.spent)
        found = going & wrong & within
        steps = here.steps + going
        back = here.images + self.beta * (moved - here.images)
        lead = torch.minimum(here.margin, margins(logits, here.labels))
        after = replace(
            here,
            points=torch.where(wrong.view(-1, 1, 1, 1), back, moved),
            adversarial=torch.where(found.view(-1, 1, 1, 1), moved, here.adversarial),
            steps=steps,
            broken=here.broken | found,
            spent=steps >= self.steps * self.restarts,
            # What the model says outside the ball is no sign of weakness within.
            margin=torch.where(within, lead, here.margin),
            zero_gradient=here.zero_gradient & (plane.normals == 0).flatten(1).all(1) & ~plane.bad,
            bad_gradient=here.bad_gradient | plane.bad,
        )
        return self._begun_again(after) if self.restarts > 1 else after

    def _nearest(self, model: Oracle, state: FABState) -> _Plane:
        planes = (self._plane(*seen) for seen in self._leads(model, state))
        return reduce(_Plane.or_nearer, planes)

    def _leads(self, model: Oracle, state: FABState) -> Iterator[tuple[Tensor, Tensor]]:
        """The lead of each rival in turn, and its gradient."""
        rows = torch.arange(len(state), device=state.labels.device)

        def lead(logits: Tensor, rivals: Tensor) -> Tensor:
            return logits[rows, rivals] - logits[rows, state.labels]

        if self.rivals == 1:
            seen = model.gradient(state.points, lambda logits: lead(logits, state.rivals[:, 0]))
            yield seen.values, seen.images
            return
        watched = state.points.detach().requires_grad_()
        logits = model(watched)
        for rivals in state.rivals.unbind(1):
            values = lead(logits, rivals)
            (gradients,) = torch.autograd.grad(values.sum(), watched, retain_graph=True)
            yield values.detach(), gradients

    def _plane(self, values: Tensor, gradients: Tensor) -> _Plane:
        # A gradient that is not finite points nowhere; the diagnostics count it.
        normals = gradients.nan_to_num(0.0, 0.0, 0.0)
        order = _DUALS[self.norm]
        slopes = torch.linalg.vector_norm(normals.flatten(1), order, 1, dtype=torch.float64)
        return _Plane(
            heights=values.nan_to_num(0.0, 0.0, 0.0),
            normals=normals,
            far=(values.abs() / slopes).nan_to_num(torch.inf, torch.inf),
            bad=~gradients.isfinite().flatten(1).all(1),
        )

    def _approach(self, plane: _Plane, state: FABState) -> Tensor:
        images, points = state.images, state.points
        there = plane.heights + ((images - points) * plane.normals).flatten(1).sum(1)
        from_point = self._to_boundary(points, plane.normals, plane.heights)
        from_image = self._to_boundary(images, plane.normals, there)
        far, near = (self._lengths(o).clamp_min(_SHORTEST) for o in (from_point, from_image))
        pull = (far / (far + near)).clamp_max(self.alpha_max).view(-1, 1, 1, 1)
        beyond_point, beyond_image = points + self.eta * from_point, images + self.eta * from_image
        return ((1 - pull) * beyond_point + pull * beyond_image).clamp(*_BOUNDS)

    def _to_boundary(self, points: Tensor, normals: Tensor, heights: Tensor) -> Tensor:
        offsets = to_hyperplane(points.flatten(1), normals.flatten(1), heights, self.norm)
        return offsets.view_as(points)

    def _lengths(self, offsets: Tensor) -> Tensor:
        lengths: Tensor = torch.linalg.vector_norm(offsets.flatten(1), _ORDERS[self.norm], 1)
        return lengths

    def _begun_again(self, state: FABState) -> FABState:
        """Rows at the end of a run, but not of the last, at the random start of the next."""
        going = ~(state.broken | state.spent)
        rows = (going & (state.steps % self.steps == 0)).nonzero().flatten()
        if not len(rows):
            return state
        runs = (state.steps[rows] // self.steps).tolist()
        drawn = [
            self._offset((key + run * _STRIDE) % 2**63, state.images.shape[1:])
            for key, run in zip(state.keys[rows].tolist(), runs, strict=True)
        ]
        begin = (state.images[rows] + torch.stack(drawn).to(state.images)).clamp(*_BOUNDS)
        return replace(state, points=state.points.index_copy(0, rows, begin))

    def _offset(self, key: int, shape: torch.Size) -> Tensor:
        generator = torch.Generator().manual_seed(key)  # on the CPU: every device gets the same
        if self.norm == "linf":
            direction = torch.rand(shape, generator=generator, dtype=torch.float32) * 2 - 1
        else:
            direction = torch.randn(shape, generator=generator, dtype=torch.float32)
        offset: Tensor = direction * (self.threat.eps / 2 / self._lengths(direction[None]))
        return offset
