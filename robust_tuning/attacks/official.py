"""The official implementation of AutoAttack, as one attack among ours."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch

from robust_tuning.attacks.base import Attack, AttackState, Budget, Targets, initial, margins
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.threat import ThreatModel, parse_fraction
from robust_tuning.errors import ConfigurationError
from robust_tuning.metrics import misclassified
from robust_tuning.types import Norm

Version = Literal["standard", "plus", "rand"]
Part = Literal["apgd-ce", "apgd-dlr", "apgd-t", "fab", "fab-t", "square"]

_NORMS = {"linf": "Linf", "l2": "L2", "l1": "L1"}
_STEPS = 100
_QUERIES = 5000
FAB_RESTARTS = 5
FAB_TARGETS = 9


@dataclass(frozen=True)
class Protocol:
    """What a version of AutoAttack does.

    Attributes:
        parts: Its attacks, in order.
        restarts: Of untargeted APGD.
        targets: Of targeted APGD, where the model has as many classes besides the label.
        wide: Whether APGD searches larger balls first.
        eot: Passes over each iterate of untargeted APGD.
    """

    parts: tuple[Part, ...]
    restarts: int = 1
    targets: int = 9
    wide: bool = False
    eot: int = 1


def protocol(version: Version, norm: Norm) -> Protocol:
    """The official settings of a version.

    Raises:
        ConfigurationError: If there is no such version.
    """
    if version not in get_args(Version):
        message = f"AutoAttack's version is {version!r}, expected 'standard', 'plus' or 'rand'"
        raise ConfigurationError(message)
    match version:
        case "standard" if norm == "l1":
            return Protocol(("apgd-ce", "apgd-t", "fab-t", "square"), 5, targets=5, wide=True)
        case "standard":
            return Protocol(("apgd-ce", "apgd-t", "fab-t", "square"))
        case "plus":
            return Protocol(("apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t"), 5)
        case "rand":
            return Protocol(("apgd-ce", "apgd-dlr"), eot=20)


class OfficialAutoAttack(Attack):
    """Runs `pyautoattack` on all examples in the slots at once.

    Its random numbers belong to the batch: verdicts near the boundary may differ with the number of
    slots. What it returns counts only after a pass of the unmodified model says so.

    Args:
        eps: Radius in [0, 1] pixel units: a number or a fraction such as `4/255`.
        norm: `linf`, `l2` or `l1`.
        version: `standard`, `plus` or `rand`, see `AutoAttack`.
        classes: Of the model; with fewer than ten there are fewer targets.
        seed: Given to the official code.

    Raises:
        ConfigurationError: If a setting is out of range; from `start`, if the model has another
            number of classes.
    """

    def __init__(
        self,
        *,
        eps: float | str = "1/255",
        norm: Norm = "linf",
        version: Version = "standard",
        classes: int = 10,
        seed: int = 0,
    ) -> None:
        self.eps = eps
        self.norm = norm
        self.version: Version = version
        self.classes = classes
        self.seed = seed
        self.threat = ThreatModel(norm, parse_fraction(eps, "eps"))
        self._protocol = protocol(version, norm)

    @property
    def budget(self) -> Budget:
        """What its attacks take, as its code counts, with the checks before them."""
        parts = [self._passes(part) for part in self._protocol.parts]
        # Its look at the classes, the range and the graph; how random the model is, unless it may.
        checks = 3 if self.version == "rand" else 8
        # Each attack's images are judged once more by it, and all in the end by us.
        forward = sum(part.forward + 1 for part in parts) + checks + 1
        return Budget(forward, sum(part.backward for part in parts))

    def _passes(self, part: Part) -> Budget:
        """Of one attack; each begins with a look at the images."""
        said, others = self._protocol, self.classes - 1
        run = _STEPS + 1 + 2 * said.wide
        match part:
            case "apgd-ce" | "apgd-dlr":
                steps = said.restarts * run * said.eot
                return Budget(1 + steps, steps)
            case "apgd-t":
                targets = min(said.targets, others)
                return Budget(1 + targets * (1 + run), targets * run)
            case "fab":
                runs = FAB_RESTARTS
                return Budget(1 + runs * (2 * _STEPS + 2), runs * _STEPS * self.classes)
            case "fab-t":
                targets = min(FAB_TARGETS, others)
                return Budget(1 + targets * (2 * _STEPS + 3), targets * _STEPS)
            case "square":
                return Budget(3 + _QUERIES, 0)

    def start(self, targets: Targets) -> AttackState:
        """Begin at the images themselves."""
        if targets.logits.shape[1] != self.classes:
            message = (
                f"OfficialAutoAttack's classes is {self.classes}, but the model has "
                f"{targets.logits.shape[1]}"
            )
            raise ConfigurationError(message)
        return initial(targets, targets.images)

    def step(self, model: Oracle, state: AttackState) -> AttackState:
        """Do everything."""
        from pyautoattack import AutoAttack

        official = AutoAttack(
            model,
            norm=_NORMS[self.norm],
            eps=self.threat.eps,
            seed=self.seed,
            version=self.version,
            device=state.images.device,
        )
        # It takes its number of targets for granted, and fails where there are fewer.
        for part in (official.apgd_targeted, official.fab):
            part.n_target_classes = min(part.n_target_classes, self.classes - 1)
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
