"""The Square attack: random search by queries alone."""

import math
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from robust_tuning.attacks.base import Attack, AttackState, Budget, Targets, initial, margins
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.square_moves import Base, recolour, stripes, tiles, transport
from robust_tuning.attacks.tables import on_device
from robust_tuning.attacks.threat import ThreatModel, parse_fraction
from robust_tuning.errors import ConfigurationError
from robust_tuning.metrics import misclassified
from robust_tuning.types import Norm

# Queries after which the windows lose half their area, once more each time.
_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


@dataclass
class SquareState(AttackState):
    """Adds the best image so far; `adversarial` is the one that is asked about next.

    Attributes:
        best: The image of the smallest lead `(B, C, H, W)`.
        best_margin: That lead `(B,)`; infinite until there is one.
    """

    best: Tensor
    best_margin: Tensor


def halvings(queries: Tensor) -> Tensor:
    """How often the windows' share of the image has been halved by a query.

    Args:
        queries: Numbers of queries, from 0, the start not counted `(B,)`.

    >>> halvings(torch.tensor([0, 10, 11, 50, 51, 9000])).tolist()
    [0, 0, 1, 1, 2, 9]
    """
    return torch.bucketize(queries, on_device(_HALVINGS, queries.device))


def side(share: float, height: int, width: int, norm: Norm) -> int:
    """Of a window that covers a share of an image; odd but for `linf`, where there is room.

    >>> side(0.8, 32, 32, "linf"), side(0.8, 32, 32, "l2"), side(0.001, 32, 32, "l2")
    (29, 29, 3)
    """
    pixels = max(round(math.sqrt(share * height * width)), 1 if norm == "linf" else 3)
    if norm != "linf" and pixels % 2 == 0:
        pixels += 1
    return min(pixels, height, width)


class Square(Attack):
    """Random search: a square of the perturbation is drawn anew, and kept where the lead shrinks.

    For `linf` the perturbation begins as vertical stripes of `+-eps`, and all pixels of a random
    window become `+eps` or `-eps`, by channel. For `l2` it begins as tiles of two-sided bumps, and
    what two random windows hold is put together in the first, with another bump of random sign
    added; what the radius leaves unused goes there too. For `l1` the bumps are steeper and what
    comes of them is projected on the ball. The windows grow smaller with the queries:
    their area is the share `p_init` of the image, halved after 10, 50, 200, 500, 1000, 2000, 4000,
    6000 and 8000 queries. An example is broken at its first misclassified query.

    Source: M. Andriushchenko, F. Croce, N. Flammarion and M. Hein, "Square Attack: a
    query-efficient black-box adversarial attack via random search", arXiv 1912.00049, algorithms 1
    to 3, with the lead in logits for the loss; for `l1` F. Croce and M. Hein, "Mind the box:
    l1-APGD for sparse adversarial attacks on image classifiers", arXiv 2103.01208. Reference:
    `SquareAttack` as AutoAttack calls it (`loss="margin"`, `resc_schedule=False`, `n_restarts=1`).
    Deviations: each example has its own random windows, where the reference shares one among a
    batch; windows lie anywhere in the image, as in the paper, where the reference never reaches the
    last row and column; the tiles of the start are centred and as many as fit, also in images that
    are not square; under `l1` a window that holds no perturbation adds none to the bump, where the
    reference brings its rounding to full length.

    Args:
        eps: Radius in [0, 1] pixel units: a number or a fraction such as `4/255`.
        norm: `linf`, `l2` or `l1`.
        queries: Changes to try. The start and each of them take one forward pass.
        p_init: Share of the image that the first windows cover, in (0, 1].
        seed: Where the windows and signs come from.

    Raises:
        ConfigurationError: If a setting is out of range.
    """

    def __init__(
        self,
        *,
        eps: float | str = "1/255",
        norm: Norm = "linf",
        queries: int = 5000,
        p_init: float = 0.8,
        seed: int = 0,
    ) -> None:
        if queries < 1:
            message = f"Square's queries is {queries}, expected at least 1"
            raise ConfigurationError(message)
        if not 0 < p_init <= 1:
            message = f"Square's p_init is {p_init}, expected 0 < p_init <= 1"
            raise ConfigurationError(message)
        self.eps = eps
        self.norm = norm
        self.queries = queries
        self.p_init = p_init
        self.seed = seed
        self.threat = ThreatModel(norm, parse_fraction(eps, "eps"))

    @property
    def budget(self) -> Budget:
        """One pass for the start and for each query."""
        return Budget(self.queries + 1, 0)

    def start(self, targets: Targets) -> SquareState:
        """Draw stripes or tiles."""
        base = Base(targets.images, self.threat, targets.keys, torch.zeros_like(targets.keys))
        begin = stripes(base) if self.norm == "linf" else tiles(base)
        common = initial(targets, begin)
        return SquareState(
            **vars(common), best=begin, best_margin=torch.full_like(common.margin, torch.inf)
        )

    def step(self, model: Oracle, state: AttackState) -> SquareState:
        """Judge each row's change, keep or drop it, and draw the next."""
        here = cast("SquareState", state)  # begun by `start`
        logits = model.logits(here.adversarial)
        lead = margins(logits, here.labels)
        better = lead < here.best_margin
        broken = misclassified(logits, here.labels)
        spent = here.steps >= self.queries
        moving = ~(broken | spent)
        kept = replace(
            here,
            best=torch.where(better.view(-1, 1, 1, 1), here.adversarial, here.best),
            best_margin=torch.where(better, lead, here.best_margin),
        )
        return replace(
            kept,
            adversarial=torch.where(moving.view(-1, 1, 1, 1), self._next(kept), here.adversarial),
            steps=here.steps + moving,
            broken=broken,
            spent=spent,
            margin=torch.minimum(here.margin, lead),
        )

    def _next(self, state: SquareState) -> Tensor:
        height, width = state.images.shape[2:]
        change = recolour if self.norm == "linf" else transport
        shares = [self.p_init / 2**times for times in range(len(_HALVINGS) + 1)]
        sides = tuple(side(share, height, width, self.norm) for share in shares)
        base = Base(state.images, self.threat, state.keys, state.steps + 1)
        return change(base, state.best, sides, halvings(state.steps))
