"""Who attacks: one attack, or several in stages."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from robust_tuning.attacks.threat import ThreatModel
from robust_tuning.plugins import from_spec, spec_of

if TYPE_CHECKING:
    from robust_tuning.attacks.base import Attack


@dataclass(frozen=True)
class Survivors:
    """Examples that every stage so far has failed on.

    Attributes:
        indices: Identity of each `(n,)`.
        clean_margin: Lead of the label on the unperturbed image `(n,)`, in logits.
        margin: The smallest lead that an attack has seen `(n,)`.
    """

    indices: NDArray[np.int64]
    clean_margin: NDArray[np.float64]
    margin: NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """Which survivors are attacked further.

    Attributes:
        attacked: Because they may well fall `(n,)`.
        audited: A random sample of the others, to bound what is missed by leaving these `(n,)`.
    """

    attacked: NDArray[np.bool_]
    audited: NDArray[np.bool_]


Gate = Callable[[Survivors], Choice]


@dataclass(frozen=True)
class Stage:
    """An attack, and which survivors of the stages before it works on.

    Attributes:
        attack: The attack.
        gate: Chooses among the survivors; the others keep their verdict. None lets all be attacked.
        share: Of the survivors that the gate lets through, about; for estimates.
    """

    attack: "Attack"
    gate: Gate | None = None
    share: float = 1.0


class Adversary(ABC):
    """Somebody with a threat model and one or more attacks to carry out in turn.

    An example is robust only if every stage that worked on it failed.

    Attributes:
        threat: What the adversary may do, the same in every stage.
        seed: Where all randomness comes from.
    """

    threat: ThreatModel
    seed: int

    @abstractmethod
    def stages(self, num_classes: int) -> tuple[Stage, ...]:
        """What is done, in order.

        Args:
            num_classes: Of the model under attack.

        Raises:
            ConfigurationError: If something in it needs more classes.
        """

    def at(self, eps: float | str) -> Self:
        """The same adversary with another radius."""
        spec = spec_of(self)
        changed: Self = from_spec({**spec, "init_args": {**spec["init_args"], "eps": eps}})
        return changed
