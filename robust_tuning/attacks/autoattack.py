"""AutoAttack: the ensemble that robust accuracies are compared by."""

from robust_tuning.attacks.adversary import Adversary, Stage
from robust_tuning.attacks.apgd import APGD
from robust_tuning.attacks.base import Attack
from robust_tuning.attacks.fab import FAB
from robust_tuning.attacks.losses import Loss
from robust_tuning.attacks.official import (
    FAB_RESTARTS,
    FAB_TARGETS,
    OfficialAutoAttack,
    Part,
    Version,
    protocol,
)
from robust_tuning.attacks.square import Square
from robust_tuning.attacks.threat import ThreatModel, parse_fraction
from robust_tuning.errors import ConfigurationError
from robust_tuning.types import Norm


class AutoAttack(Adversary):
    """The official ensembles of APGD, FAB and Square; an example is robust only if all fail.

    `standard`
        APGD-CE, targeted APGD-DLR and targeted FAB on up to nine targets each, Square. Under l1
        five runs of APGD-CE and five targets of APGD-DLR, through larger balls (`APGD.wide`).
    `plus`
        Five runs each of APGD-CE, APGD-DLR and untargeted FAB, Square, the targeted attacks. Also
        under l1, without the larger balls; the official code advises caution there.
    `rand`
        For models that draw random numbers: APGD-CE and APGD-DLR, with gradients averaged over 20
        passes.

    All take 100 steps, or 5,000 queries. Untargeted FAB takes a backward pass per class and step.

    RobustBench's robust accuracies are those of `standard` under linf and l2. Ours are comparable
    where images, radius and norm are the same: all of its test images, on their native pixels
    (`perturb: native`), the model in evaluation mode and deterministic, as its models must be. They
    then differ by the random starts alone, which here belong to each example and in the reference
    to its batch, and where an entry of RobustBench rests on another attack than AutoAttack.
    `plus`, with more attacks, may only say less. For l1 and for random models RobustBench has no
    numbers. A random model's example counts as broken here once any pass has misclassified it
    within the ball. The official code asks about its image once more, and may then call it robust:
    its number is the higher one, by much where the answers vary much. To compare with such numbers
    use `reference`.

    Source: F. Croce and M. Hein, "Reliable evaluation of adversarial robustness with an ensemble of
    diverse parameter-free attacks", arXiv 2003.01690; for l1, "Mind the box: l1-APGD for sparse
    adversarial attacks on image classifiers", arXiv 2103.01208; reference implementation: the
    package `pyautoattack`, which `reference` runs itself. Deviations are those of `APGD`, `FAB` and
    `Square`.

    Args:
        eps: Radius in [0, 1] pixel units: a number or a fraction such as `4/255`.
        norm: `linf`, `l2` or `l1`.
        version: `standard`, `plus` or `rand`.
        reference: Run the official code instead of ours. Its verdicts depend on how examples are
            batched, and it takes more passes.
        seed: Where all randomness comes from.

    Raises:
        ConfigurationError: If a setting is out of range, or, from `stages`, if the model has too
            few classes: four are needed, three for `rand`.
    """

    def __init__(
        self,
        *,
        eps: float | str = "1/255",
        norm: Norm = "linf",
        version: Version = "standard",
        reference: bool = False,
        seed: int = 0,
    ) -> None:
        self.eps = eps
        self.norm = norm
        self.version: Version = version
        self.reference = reference
        self.seed = seed
        self.threat = ThreatModel(norm, parse_fraction(eps, "eps"))
        self._protocol = protocol(version, norm)

    def stages(self, num_classes: int) -> tuple[Stage, ...]:
        """The attacks in the official order, one stage per target and per run of APGD."""
        self._check(num_classes)
        if self.reference:
            official = OfficialAutoAttack(
                eps=self.eps,
                norm=self.norm,
                version=self.version,
                classes=num_classes,
                seed=self.seed,
            )
            return (Stage(official),)
        parts = (self._attacks(part, num_classes - 1) for part in self._protocol.parts)
        return tuple(Stage(attack) for attacks in parts for attack in attacks)

    def _check(self, num_classes: int) -> None:
        targeted = "apgd-t" in self._protocol.parts
        needed, loss = (4, "targeted loss") if targeted else (3, "loss 'dlr'")
        if num_classes < needed:
            averaged = "" if targeted else " with eot 20"
            message = (
                f"AutoAttack's version {self.version!r} needs at least {needed} classes for its "
                f"{loss}, but the model has {num_classes}: use a Cascade of APGD{averaged} with "
                "loss 'ce', loss 'margin' and Square"
            )
            raise ConfigurationError(message)

    def _attacks(self, part: Part, others: int) -> list[Attack]:
        """The attacks that one part of the protocol stands for, in a model with `others` to go."""
        said = self._protocol
        match part:
            case "apgd-ce":
                return [self._apgd("ce")] * said.restarts
            case "apgd-dlr":
                return [self._apgd("dlr")] * said.restarts
            case "apgd-t":
                return [
                    self._apgd("dlr_targeted", rank) for rank in _ranks(min(said.targets, others))
                ]
            case "fab":
                return [self._fab(rivals=others, restarts=FAB_RESTARTS)]
            case "fab-t":
                return [self._fab(rank) for rank in _ranks(min(FAB_TARGETS, others))]
            case "square":
                return [Square(eps=self.eps, norm=self.norm, seed=self.seed)]

    def _apgd(self, loss: Loss, target: int = 1) -> APGD:
        return APGD(
            eps=self.eps,
            norm=self.norm,
            loss=loss,
            target=target,
            eot=self._protocol.eot,
            wide=self._protocol.wide,
            seed=self.seed,
        )

    def _fab(self, target: int = 1, rivals: int = 1, restarts: int = 1) -> FAB:
        return FAB(
            eps=self.eps,
            norm=self.norm,
            target=target,
            rivals=rivals,
            restarts=restarts,
            seed=self.seed,
        )


def _ranks(targets: int) -> range:
    """The likeliest classes but the label."""
    return range(1, targets + 1)
