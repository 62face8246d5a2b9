"""The fast adaptive boundary attack, targeted."""

from dataclasses import dataclass, replace
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
from robust_tuning.attacks.fab_projections import to_hyperplane
from robust_tuning.attacks.losses import ranked_others
from robust_tuning.attacks.oracle import Gradient, Oracle
from robust_tuning.attacks.threat import ThreatModel, parse_fraction
from robust_tuning.errors import ConfigurationError
from robust_tuning.types import Bounds, Norm

_BOUNDS = Bounds()
# Keeps the share of two distances that are both zero defined.
_SHORTEST = 1e-8


@dataclass
class FABState(AttackState):
    """Adds where the search is; `adversarial` is the original until a point breaks the model.

    Attributes:
        points: Where the boundary is looked for, also outside the ball `(B, C, H, W)`.
        rivals: The class to be reached `(B,)`.
    """

    points: Tensor
    rivals: Tensor


class FAB(Attack):
    """Walks along the boundary between the label and one other class, ever nearer to the image.

    At the point `x` the lead of the other class, `f(x) = z_target(x) - z_label(x)`, is taken for
    linear. `P(x)` and `P(x_0)` are the nearest valid images to `x` and to the original `x_0` where
    this line is zero; the next point lies a little (`eta`) beyond, and between the two:

    `x' = (1 - a) (x + eta (P(x) - x)) + a (x_0 + eta (P(x_0) - x_0))`, clipped to valid pixels,
    `a = min(d(x) / (d(x) + d(x_0)), alpha_max)`, with `d` the distances to the boundary.

    Where the model misclassifies `x'` the search goes back towards the image, to
    `x_0 + beta (x' - x_0)`. An example is broken at its first misclassified `x'` within `eps`. One
    that is misclassified farther away goes on.

    Source: F. Croce and M. Hein, "Minimally distorted adversarial examples with a fast adaptive
    boundary attack", arXiv 1907.02044, equations 2 and 6 to 9 and algorithm 1, in the targeted form
    of AutoAttack (arXiv 2003.01690): the hyperplane is that of one class instead of the nearest
    one. Reference: `FABAttack_PT` with `targeted=True, n_restarts=1`, one target. Deviations: an
    example leaves once it is broken, while the reference looks for a still nearer point (the same
    examples break); there are no random restarts and no final search on the line to the image; the
    projection is as exact in `l2` as in `linf`, see `to_hyperplane`; a gradient that is not finite
    counts as zero.

    A step is one gradient pass, at `x`, and one forward pass, which judges `x'`. One pass for both,
    as in PGD, would cost more: once the boundary has been crossed, which takes few steps, most
    points lie beyond it, and the next gradient is needed where the way back ends, not there. That
    end is not judged, as in the reference.

    Args:
        eps: Radius in [0, 1] pixel units: a number or a fraction such as `4/255`.
        norm: `linf` or `l2`.
        steps: Points on the way.
        target: Which class: 1 is the likeliest but the label on the unperturbed image, 2 the next.
        alpha_max: Largest pull towards the image, in [0, 1].
        eta: How far to go of the way to the boundary, at least 1.
        beta: How much of the way back is left, in (0, 1].
        seed: Not used: nothing here is random.

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
        alpha_max: float = 0.1,
        eta: float = 1.05,
        beta: float = 0.9,
        seed: int = 0,
    ) -> None:
        limits = {
            f"steps is {steps}, expected at least 1": steps >= 1,
            f"target is {target}, expected at least 1 (the likeliest other class)": target >= 1,
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
        self.alpha_max = alpha_max
        self.eta = eta
        self.beta = beta
        self.seed = seed
        self.threat = ThreatModel(norm, parse_fraction(eps, "eps"))

    @property
    def budget(self) -> Budget:
        """Two passes forth and one back for each step."""
        return Budget(2 * self.steps, self.steps)

    def start(self, targets: Targets) -> FABState:
        """Choose the class to be reached; the search begins at the image."""
        classes = targets.logits.shape[1]
        if self.target >= classes:
            message = (
                f"FAB's target is {self.target}, but a model with {classes} classes has only "
                f"{classes - 1} beside the label: lower it"
            )
            raise ConfigurationError(message)
        return FABState(
            **vars(initial(targets, targets.images)),
            points=targets.images,
            rivals=ranked_others(targets.logits, targets.labels)[:, self.target - 1],
        )

    def step(self, model: Oracle, state: AttackState) -> FABState:
        """Go to the boundary as it looks from each point, and judge where that leads."""
        here = cast("FABState", state)  # begun by `start`
        rows = torch.arange(len(here), device=here.labels.device)
        seen = model.gradient(
            here.points, lambda logits: logits[rows, here.rivals] - logits[rows, here.labels]
        )
        moved = self._approach(seen, here)
        logits = model.logits(moved)
        wrong = misclassified(logits, here.labels)
        within = self._lengths(moved - here.images) <= self.threat.eps
        going = ~(here.broken | here.spent)
        found = going & wrong & within
        steps = here.steps + going
        back = here.images + self.beta * (moved - here.images)
        lead = torch.minimum(here.margin, margins(logits, here.labels))
        flat = seen.images.flatten(1)
        return replace(
            here,
            points=torch.where(wrong.view(-1, 1, 1, 1), back, moved),
            adversarial=torch.where(found.view(-1, 1, 1, 1), moved, here.adversarial),
            steps=steps,
            broken=here.broken | found,
            spent=steps >= self.steps,
            # What the model says outside the ball is no sign of weakness within.
            margin=torch.where(within, lead, here.margin),
            zero_gradient=here.zero_gradient & (flat == 0).all(1),
            bad_gradient=here.bad_gradient | ~flat.isfinite().all(1),
        )

    def _approach(self, seen: Gradient, state: FABState) -> Tensor:
        images, points = state.images, state.points
        # A gradient that is not finite points nowhere; the diagnostics count it.
        normals = seen.images.nan_to_num(0.0, 0.0, 0.0)
        here = seen.values.nan_to_num(0.0, 0.0, 0.0)
        there = here + ((images - points) * normals).flatten(1).sum(1)
        from_point = self._to_boundary(points, normals, here)
        from_image = self._to_boundary(images, normals, there)
        far, near = (self._lengths(o).clamp_min(_SHORTEST) for o in (from_point, from_image))
        pull = (far / (far + near)).clamp_max(self.alpha_max).view(-1, 1, 1, 1)
        beyond_point, beyond_image = points + self.eta * from_point, images + self.eta * from_image
        return ((1 - pull) * beyond_point + pull * beyond_image).clamp(*_BOUNDS)

    def _to_boundary(self, points: Tensor, normals: Tensor, heights: Tensor) -> Tensor:
        offsets = to_hyperplane(points.flatten(1), normals.flatten(1), heights, self.norm)
        return offsets.view_as(points)

    def _lengths(self, offsets: Tensor) -> Tensor:
        order = torch.inf if self.norm == "linf" else 2
        lengths: Tensor = torch.linalg.vector_norm(offsets.flatten(1), order, 1)
        return lengths
