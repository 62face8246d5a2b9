"""AutoAttack: the ensemble that robust accuracies are compared by."""

from robust_tuning.attacks.adversary import Adversary, Stage
from robust_tuning.attacks.apgd import APGD
from robust_tuning.attacks.base import Attack
from robust_tuning.attacks.fab import FAB
from robust_tuning.attacks.official import OfficialAutoAttack
from robust_tuning.attacks.square import Square
from robust_tuning.attacks.threat import ThreatModel, parse_fraction
from robust_tuning.errors import ConfigurationError
from robust_tuning.types import Norm

_TARGETS = 9


class AutoAttack(Adversary):
    """The standard ensemble: APGD-CE, targeted APGD-DLR, targeted FAB, Square.

    Attacks and budgets are the official ones: 100 steps, up to nine targets each, 5,000 queries; an
    example is robust only if all fail. Robust accuracies are comparable with RobustBench's where
    images, radius and norm are: on the native pixels of the whole test set (`perturb: native`), and
    with the model in evaluation mode. They differ by the random starts alone, which here belong to
    each example and in the reference to its batch.

    Source: F. Croce and M. Hein, "Reliable evaluation of adversarial robustness with an ensemble of
    diverse parameter-free attacks", arXiv 2003.01690; reference implementation: the package
    `pyautoattack`, which `reference` runs itself. Deviations are those of `APGD`, `FAB` and
    `Square`.

    Args:
        eps: Radius in [0, 1] pixel units: a number or a fraction such as `4/255`.
        norm: `linf` or `l2`.
        version: `standard`.
        reference: Run the official code instead of ours. Its verdicts depend on how examples are
            batched, and it takes more passes.
        seed: Where all randomness comes from.

    Raises:
        ConfigurationError: If a setting is out of range, or, from `stages`, if the model has fewer
            than four classes.
    """

    def __init__(
        self,
        *,
        eps: float | str = "1/255",
        norm: Norm = "linf",
        version: str = "standard",
        reference: bool = False,
        seed: int = 0,
    ) -> None:
        if version != "standard":
            message = f"AutoAttack's version is {version!r}, expected 'standard'"
            raise ConfigurationError(message)
        self.eps = eps
        self.norm = norm
        self.version = version
        self.reference = reference
        self.seed = seed
        self.threat = ThreatModel(norm, parse_fraction(eps, "eps"))

    def stages(self, num_classes: int) -> tuple[Stage, ...]:
        """The attacks in the official order, one stage per target."""
        if num_classes < 4:
            message = (
                f"AutoAttack needs at least 4 classes for its targeted loss, but the model has "
                f"{num_classes}: use a Cascade of APGD with loss 'ce', loss 'margin' and Square"
            )
            raise ConfigurationError(message)
        if self.reference:
            return (Stage(OfficialAutoAttack(eps=self.eps, norm=self.norm, seed=self.seed)),)
        ranks = range(1, min(_TARGETS, num_classes - 1) + 1)
        common = {"eps": self.eps, "norm": self.norm, "seed": self.seed}
        attacks: list[Attack] = [APGD(**common)]  # type: ignore[arg-type]  # each of its own type
        attacks += [APGD(loss="dlr_targeted", target=rank, **common) for rank in ranks]  # type: ignore[arg-type]
        attacks += [FAB(target=rank, **common) for rank in ranks]  # type: ignore[arg-type]
        attacks.append(Square(**common))  # type: ignore[arg-type]
        return tuple(Stage(attack) for attack in attacks)
