"""The official implementation of AutoAttack, as one attack among ours."""

from dataclasses import replace

import torch

from robust_tuning.attacks.base import (
    Attack,
    AttackState,
    Budget,
    Targets,
    initial,
    margins,
    misclassified,
)
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.threat import ThreatModel, parse_fraction
from robust_tuning.types import Norm

_NORMS = {"linf": "Linf", "l2": "L2"}


class OfficialAutoAttack(Attack):
    """Runs `pyautoattack`'s standard version on all examples in the slots at once.

    Its random numbers belong to the batch: verdicts near the boundary may differ with the number of
    slots. What it returns counts only after a pass of the unmodified model says so.

    Args:
        eps: Radius in [0, 1] pixel units: a number or a fraction such as `4/255`.
        norm: `linf` or `l2`.
        seed: Given to the official code.
    """

    def __init__(self, *, eps: float | str = "1/255", norm: Norm = "linf", seed: int = 0) -> None:
        self.eps = eps
        self.norm = norm
        self.seed = seed
        self.threat = ThreatModel(norm, parse_fraction(eps, "eps"))

    @property
    def budget(self) -> Budget:
        """What its four attacks take with nine targets, as its code counts."""
        return Budget(101 + 9 * 101 + 9 * 200 + 5001 + 7, 101 + 9 * 101 + 9 * 100)

    def start(self, targets: Targets) -> AttackState:
        """Begin at the images themselves."""
        return initial(targets, targets.images)

    def step(self, model: Oracle, state: AttackState) -> AttackState:
        """Do everything."""
        from pyautoattack import AutoAttack

        official = AutoAttack(
            model,
            norm=_NORMS[self.norm],
            eps=self.threat.eps,
            seed=self.seed,
            version="standard",
            device=state.images.device,
        )
        # It takes nine targets for granted, and fails where there are fewer.
        targets = min(9, model.logits(state.images[:1]).shape[1] - 1)
        official.apgd_targeted.n_target_classes = official.fab.n_target_classes = targets
        found, _ = official.run_standard_evaluation(
            state.images, state.labels, batch_size=len(state)
        )
        adversarial = self.threat.project(found.detach().to(state.images), state.images)
        logits = model.logits(adversarial)
        return replace(
            state,
            adversarial=adversarial,
            steps=state.steps + 1,
            broken=misclassified(logits, state.labels),
            spent=torch.ones_like(state.spent),
            margin=torch.minimum(state.margin, margins(logits, state.labels)),
            zero_gradient=torch.zeros_like(state.zero_gradient),
        )
