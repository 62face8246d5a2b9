"""What noise alone does: the baseline below every attack."""

from dataclasses import replace

import torch
from torch import Tensor

from robust_tuning.attacks.base import Attack, AttackState, Budget, Targets, initial, margins
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.threat import ThreatModel, parse_fraction
from robust_tuning.errors import ConfigurationError
from robust_tuning.metrics import misclassified
from robust_tuning.types import Norm

# Odd, so that different steps of one example never share a seed.
_STRIDE = 0x9E3779B97F4A7C15


class RandomNoise(Attack):
    """Uniform samples of the ball, each judged by one forward pass.

    An attack worth its name breaks more than this. Where it does not, its gradients are useless.

    Args:
        eps: Radius in [0, 1] pixel units: a number or a fraction such as `4/255`.
        norm: `linf`, `l2` or `l1`.
        samples: How many to try.
        seed: Where the noise comes from.

    Raises:
        ConfigurationError: If a setting is out of range.
    """

    def __init__(
        self,
        *,
        eps: float | str = "1/255",
        norm: Norm = "linf",
        samples: int = 100,
        seed: int = 0,
    ) -> None:
        if samples < 1:
            message = f"RandomNoise's samples is {samples}, expected at least 1"
            raise ConfigurationError(message)
        self.eps = eps
        self.norm = norm
        self.samples = samples
        self.seed = seed
        self.threat = ThreatModel(norm, parse_fraction(eps, "eps"))

    @property
    def budget(self) -> Budget:
        """One pass for each sample."""
        return Budget(self.samples, 0)

    def start(self, targets: Targets) -> AttackState:
        """Draw the first samples."""
        steps = torch.zeros_like(targets.labels)
        state = initial(targets, self._sample(targets.images, targets.keys, steps))
        # Without gradients none of them can be zero throughout.
        return replace(state, zero_gradient=torch.zeros_like(state.zero_gradient))

    def step(self, model: Oracle, state: AttackState) -> AttackState:
        """Judge the samples, and draw others for those not broken."""
        logits = model.logits(state.adversarial)
        broken = misclassified(logits, state.labels)
        steps = state.steps + 1
        spent = steps >= self.samples
        moving = (~(broken | spent)).view(-1, 1, 1, 1)
        drawn = self._sample(state.images, state.keys, steps)
        return replace(
            state,
            adversarial=torch.where(moving, drawn, state.adversarial),
            steps=steps,
            broken=broken,
            spent=spent,
            margin=torch.minimum(state.margin, margins(logits, state.labels)),
        )

    def _sample(self, images: Tensor, keys: Tensor, steps: Tensor) -> Tensor:
        offsets = []
        for key, step in zip(keys.tolist(), steps.tolist(), strict=True):
            # On the CPU, so that every device gets the same noise.
            generator = torch.Generator().manual_seed((key + step * _STRIDE) % 2**63)
            offsets.append(self.threat.random_point(generator, images.shape[1:]))
        return self.threat.project(images + torch.stack(offsets).to(images), images)
