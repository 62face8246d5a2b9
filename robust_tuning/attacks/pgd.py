"""Projected gradient descent."""

from dataclasses import replace
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812  the field's name for it
from torch import Tensor

from robust_tuning.attacks.base import Attack, AttackState, Budget, Targets, initial, margins
from robust_tuning.attacks.l1_steps import sparse_descent_step
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.threat import ThreatModel, parse_fraction
from robust_tuning.errors import ConfigurationError
from robust_tuning.metrics import misclassified
from robust_tuning.types import Norm


class PGD(Attack):
    """Gradient ascent on the cross-entropy, projected on the ball after each step.

    `x_{k+1} = project(x_k + step_size * steepest(gradient of the loss at x_k))`, from a uniformly
    random start. The defaults are the study's (arXiv 2503.14836): linf, eps 1/255, 15 steps of a
    quarter of eps. For `l1` the steepest direction gives way to `sparse_descent_step`.

    Source: A. Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks",
    arXiv 1706.06083, section 2.1. Deviation: with `select="any"` an example counts as broken at its
    first misclassified iterate, the start included; the reference judges the last iterate alone
    (`select="last"`), which can only be weaker.

    Args:
        eps: Radius in [0, 1] pixel units: a number or a fraction such as `4/255`.
        norm: `linf`, `l2` or `l1`.
        steps: Gradient steps.
        step_size: Length of a step in the same units; None takes `eps / 4`.
        random_start: Start from a random point of the ball instead of the image itself.
        select: Which iterates count.
        seed: Where the random starts come from.

    Raises:
        ConfigurationError: If a setting is out of range.
    """

    takes_starts = True

    def __init__(
        self,
        *,
        eps: float | str = "1/255",
        norm: Norm = "linf",
        steps: int = 15,
        step_size: float | str | None = None,
        random_start: bool = True,
        select: Literal["any", "last"] = "any",
        seed: int = 0,
    ) -> None:
        if steps < 1:
            message = f"PGD's steps is {steps}, expected at least 1"
            raise ConfigurationError(message)
        if select not in ("any", "last"):
            message = f"PGD's select is {select!r}, expected 'any' or 'last'"
            raise ConfigurationError(message)
        self.eps = eps
        self.norm = norm
        self.steps = steps
        self.step_size = step_size
        self.random_start = random_start
        self.select = select
        self.seed = seed
        self.threat = ThreatModel(norm, parse_fraction(eps, "eps"))
        given = self.threat.eps / 4 if step_size is None else parse_fraction(step_size, "step_size")
        if not given and self.threat.eps:
            message = f"PGD's step_size is {step_size!r}, expected a positive length"
            raise ConfigurationError(message)
        self._step_length = given

    @property
    def budget(self) -> Budget:
        """The start and each step, forth and back."""
        return Budget(self.steps + 1, self.steps + 1)

    def start(self, targets: Targets) -> AttackState:
        """Take the starting points given, or draw some."""
        begin = targets.starts
        if begin is None:
            begin = targets.images + self._noise(targets)
        return initial(targets, self.threat.project(begin, targets.images))

    def step(self, model: Oracle, state: AttackState) -> AttackState:
        """Judge the iterates; take a step where the budget allows."""
        spent = state.steps >= self.steps
        seen = model.gradient(
            state.adversarial,
            lambda logits: F.cross_entropy(logits, state.labels, reduction="none"),
            state.labels,
            judged=None if self.select == "any" else spent,
        )
        wrong = misclassified(seen.logits, state.labels)
        broken = wrong if self.select == "any" else wrong & spent
        moving = ~(broken | spent)
        moved = self._ascend(state.adversarial, seen.images, state.images)
        flat = seen.images.flatten(1)
        return replace(
            state,
            adversarial=torch.where(moving.view(-1, 1, 1, 1), moved, state.adversarial),
            steps=state.steps + moving,
            broken=broken,
            spent=spent,
            margin=torch.minimum(state.margin, margins(seen.logits, state.labels)),
            zero_gradient=state.zero_gradient & (flat == 0).all(1),
            bad_gradient=state.bad_gradient | ~flat.isfinite().all(1),
        )

    def _ascend(self, candidates: Tensor, gradients: Tensor, images: Tensor) -> Tensor:
        # A gradient that is not finite points nowhere; the diagnostics count it.
        gradients = gradients.nan_to_num(0.0, 0.0, 0.0)
        if self.norm == "l1":
            direction = sparse_descent_step(gradients, candidates)
        else:
            direction = self.threat.steepest(gradients)
        return self.threat.project(candidates + self._step_length * direction, images)

    def _noise(self, targets: Targets) -> Tensor:
        if not self.random_start:
            return torch.zeros_like(targets.images)
        shape = targets.images.shape[1:]
        noise = [
            self.threat.random_point(torch.Generator().manual_seed(key), shape)
            for key in targets.keys.tolist()
        ]
        return torch.stack(noise).to(targets.images)
