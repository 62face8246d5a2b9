"""Several attacks in turn, each on those who survived the ones before."""

from collections.abc import Sequence

from robust_tuning.attacks.adversary import Adversary, Stage
from robust_tuning.attacks.base import Attack
from robust_tuning.errors import ConfigurationError


class Cascade(Adversary):
    """Attacks from the cheapest on; an example is robust only if every one failed.

    The verdict of each example is the worst case over the attacks, and costs no more than the first
    that breaks it.

    Args:
        attacks: In the order in which they are tried, all with the same norm.
        eps: Radius of all of them, in [0, 1] pixel units; None takes their own, which must agree.
        seed: Kept for the record; each attack draws from its own.

    Raises:
        ConfigurationError: If there are no attacks, or their threats differ.
    """

    def __init__(
        self, attacks: Sequence[Attack], *, eps: float | str | None = None, seed: int = 0
    ) -> None:
        if not attacks:
            message = "a Cascade has no attacks, expected at least one"
            raise ConfigurationError(message)
        self.attacks = list(attacks)
        self.eps = eps
        self.seed = seed
        self._attacks = self.attacks if eps is None else [a.at(eps) for a in self.attacks]
        threats = {attack.threat.key for attack in self._attacks}
        if len(threats) > 1:
            message = (
                f"the attacks of a Cascade have the threats {', '.join(sorted(threats))}, expected "
                "one; give them one norm and set the Cascade's eps"
            )
            raise ConfigurationError(message)
        self.threat = self._attacks[0].threat

    def stages(self, num_classes: int) -> tuple[Stage, ...]:  # noqa: ARG002  the same for all
        """Each attack, on all survivors."""
        return tuple(Stage(attack) for attack in self._attacks)
