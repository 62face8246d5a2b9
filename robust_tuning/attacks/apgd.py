"""Auto-PGD: gradient ascent that finds its step size, or its sparsity, by itself."""

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from robust_tuning.attacks.apgd_momentum import Momentum, checkpoints
from robust_tuning.attacks.apgd_sparsity import Sparsity, plan
from robust_tuning.attacks.apgd_state import APGDState, where_rows
from robust_tuning.attacks.base import Attack, AttackState, Budget, Targets, margins
from robust_tuning.attacks.losses import (
    Loss,
    check_classes,
    check_loss,
    loss_values,
    ranked_others,
)
from robust_tuning.attacks.oracle import Gradient, Oracle
from robust_tuning.attacks.threat import ThreatModel, parse_fraction
from robust_tuning.errors import ConfigurationError
from robust_tuning.metrics import misclassified
from robust_tuning.types import Norm


class APGD(Attack):
    """Auto-PGD: projected gradient ascent with step sizes that shrink when they must.

    `linf`, `l2`: from a random point of the ball's surface, with a first step of `2 eps`:
    `z = project(x_k + step * steepest(gradient))`,
    `x_{k+1} = project(x_k + 0.75 (z - x_k) + 0.25 (x_k - x_{k-1}))`. At each checkpoint the step is
    halved and the search goes back to its best point, where the loss rose in at most `rho` of the
    steps since the last one, or where neither the step nor the best loss has changed since.

    `l1`: from normal noise projected on the ball, along a fifth of the components at first, with
    steps of `eps` and no momentum. At each checkpoint the steps follow two thirds as many
    components as the best point has moved pixels. Where these have become fewer by a twentieth, the
    search goes back to that point and the step to `eps`; otherwise the step is divided by 1.5.

    Source: F. Croce and M. Hein, "Reliable evaluation of adversarial robustness with an ensemble of
    diverse parameter-free attacks", arXiv 2003.01690, algorithm 1; for `l1`, "Mind the box: l1-APGD
    for sparse adversarial attacks on image classifiers", arXiv 2103.01208, algorithm 1; and their
    reference implementation (checkpoints in whole steps; the first iterate's loss is compared with
    zero, not the start's). Given the same start it takes the same path, with these differences: an
    example stops at its first misclassified iterate, the start included, since its verdict is
    reached; a direction is found for gradients too small to be squared; gradients that are not
    finite point nowhere; under `l1` a pixel that is projected back to the original counts as not
    moved, also where the reference is off by rounding.

    Args:
        eps: Radius in [0, 1] pixel units: a number or a fraction such as `4/255`.
        norm: `linf`, `l2` or `l1`.
        loss: What is made large, see `losses`: `ce` (cross-entropy), `dlr` (difference of logits
            ratio, 3 classes or more), `dlr_targeted` (4 or more) or `margin` (of probabilities).
        steps: Gradient steps; the start and each iterate take `eot` passes forth and back.
        rho: Share of the steps between checkpoints that must raise the loss, in [0, 1]; of no use
            to `l1`.
        target: Rank of the class that `dlr_targeted` draws to, among the classes other than the
            label by the clean image's logits; 1 is the most likely.
        eot: Passes over each iterate, of which the gradients are averaged: the expectation over
            transformations, for models that draw random numbers. The last pass alone judges the
            iterate and gives its loss, as in the reference.
        wide: For `l1` alone: search the balls of three times and twice the radius first, with three
            tenths of the steps each, and go on from the best point there. AutoAttack does.
            Only iterates in the ball itself are judged. Entering a ball takes another pass.
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
        eot: int = 1,
        wide: bool = False,
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
        if eot < 1:
            message = f"APGD's eot is {eot}, expected at least 1"
            raise ConfigurationError(message)
        if wide and (norm != "l1" or steps < 5):
            message = (
                f"APGD's wide is on with norm {norm!r} and {steps} steps, expected norm 'l1' and "
                "at least 5 steps: two in each of the larger balls, one in the ball itself"
            )
            raise ConfigurationError(message)
        self.eps = eps
        self.norm = norm
        self.loss: Loss = loss
        self.steps = steps
        self.rho = rho
        self.target = target
        self.eot = eot
        self.wide = wide
        self.seed = seed
        self.threat = ThreatModel(norm, parse_fraction(eps, "eps"))
        self._search = (
            Sparsity(self.threat, *plan(steps, wide=wide))
            if norm == "l1"
            else Momentum(self.threat, checkpoints(steps, rho))
        )

    @property
    def budget(self) -> Budget:
        """The start and each step, forth and back, `eot` times."""
        passes = (self._search.moves + 1) * self.eot
        return Budget(passes, passes)

    def start(self, targets: Targets) -> APGDState:
        """Take the starting points given or draw some, and choose the target classes."""
        check_classes(self.loss, targets.logits.shape[1], self.target)
        classes = ranked_others(targets.logits, targets.labels)[:, self.target - 1]
        if targets.starts is not None:
            return self._search.begin(targets, classes, targets.starts, told=True)
        drawn = targets.images + self._noise(targets)
        return self._search.begin(targets, classes, drawn, told=False)

    def step(self, model: Oracle, state: AttackState) -> APGDState:
        """Judge the iterates, reconsider how to go on where it is time, and take a step."""
        here = cast("APGDState", state)  # begun by `start`
        seen = self._look(model, here)
        broken = misclassified(seen.logits, here.labels) & here.inside
        spent = here.steps >= self._search.moves
        lead = margins(seen.logits, here.labels)
        flat = seen.images.flatten(1)
        # A gradient that is not finite points nowhere; the diagnostics count it.
        ahead = self._search.advance(here, seen.values, seen.images.nan_to_num(0.0, 0.0, 0.0))
        moving = ~(broken | spent)
        return replace(
            ahead,
            iterate=where_rows(moving, ahead.iterate, here.iterate),
            inside=torch.where(moving, ahead.inside, here.inside),
            adversarial=where_rows(moving & ahead.inside, ahead.iterate, here.adversarial),
            steps=here.steps + moving,
            broken=broken,
            spent=spent,
            margin=torch.where(here.inside, torch.minimum(here.margin, lead), here.margin),
            zero_gradient=here.zero_gradient & (flat == 0).all(1),
            bad_gradient=here.bad_gradient | ~flat.isfinite().all(1),
        )

    def _look(self, model: Oracle, state: APGDState) -> Gradient:
        """What the model says of the iterates at last, with the mean gradient of all passes."""

        def objective(logits: Tensor) -> Tensor:
            return loss_values(self.loss, logits, state.labels, state.targets)

        seen = model.gradient(state.iterate, objective, state.labels)
        total = seen.images
        for _ in range(self.eot - 1):
            seen = model.gradient(state.iterate, objective, state.labels)
            total = total + seen.images
        return replace(seen, images=total / self.eot)

    def _noise(self, targets: Targets) -> Tensor:
        shape = targets.images.shape[1:]
        # On the CPU: every device gets the same.
        drawn = [
            self._search.noise(torch.Generator().manual_seed(key), shape)
            for key in targets.keys.tolist()
        ]
        return torch.stack(drawn).to(targets.images)
