"""What an attack is: immutable settings, and a pure state per example."""

from abc import abstractmethod
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from typing import ClassVar, Self

import torch
from torch import Tensor

from robust_tuning.attacks.adversary import Adversary, Stage
from robust_tuning.attacks.oracle import Oracle


@dataclass(frozen=True)
class Targets:
    """Correctly classified examples that an attack begins with.

    Attributes:
        images: `(B, C, H, W)` in [0, 1].
        labels: `(B,)` int64.
        logits: What the model says of the images `(B, K)`.
        keys: One seed per example `(B,)` int64, see `Attack.example_key`.
        starts: Where to begin, instead of where the attack would `(B, C, H, W)`; projected on the
            ball first. Only attacks that `takes_starts` are given any.
    """

    images: Tensor
    labels: Tensor
    logits: Tensor
    keys: Tensor
    starts: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Budget:
    """What an attack costs at most, per example.

    Attributes:
        forward: Forward passes of an example that is never broken.
        backward: Its backward passes; none for an attack that sees only the model's answers.
    """

    forward: int
    backward: int


@dataclass
class AttackState:
    """Where an attack stands, one row per example. Subclasses add tensors with a row each.

    Attributes:
        images: The originals `(B, C, H, W)`, in [0, 1].
        labels: `(B,)` int64.
        keys: Seeds `(B,)` int64.
        adversarial: The iterate that the next forward pass will judge, or that broke the model.
        steps: Steps taken `(B,)`.
        broken: Whether a forward pass of the model misclassified `adversarial` `(B,)`.
        spent: Whether the budget is used up `(B,)`.
        margin: The smallest lead of the label over the other classes seen so far `(B,)`.
        zero_gradient: Whether every gradient so far was exactly zero `(B,)`; false without one.
        bad_gradient: Whether any gradient was not finite `(B,)`.
    """

    images: Tensor
    labels: Tensor
    keys: Tensor
    adversarial: Tensor
    steps: Tensor
    broken: Tensor
    spent: Tensor
    margin: Tensor
    zero_gradient: Tensor
    bad_gradient: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, chosen: Tensor | slice) -> Self:
        """The state of the chosen examples alone."""
        return replace(self, **{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    def joined(self, other: Self) -> Self:
        """This state followed by another."""
        return replace(
            self,
            **{
                f.name: torch.cat([getattr(self, f.name), getattr(other, f.name)])
                for f in fields(self)
            },
        )


class Attack(Adversary):
    """A vectorised state machine over examples; alone, an adversary with a single stage.

    An attack holds settings and a seed, never a model or an example. What happens to an example
    depends on its images, its label, its key and the model; not on its neighbours in a batch.

    Attributes:
        takes_starts: Whether `start` heeds `Targets.starts`.
        measures_distance: Whether its states carry `distance`: one run decides every radius.
    """

    takes_starts: ClassVar[bool] = False
    measures_distance: ClassVar[bool] = False

    @property
    @abstractmethod
    def budget(self) -> Budget:
        """The passes of an example that is never broken."""

    def stages(self, num_classes: int) -> tuple[Stage, ...]:  # noqa: ARG002  the same for all
        """The attack itself."""
        return (Stage(self),)

    @abstractmethod
    def start(self, targets: Targets) -> AttackState:
        """Begin; no pass of the model is needed."""

    @abstractmethod
    def step(self, model: Oracle, state: AttackState) -> AttackState:
        """Judge every row's iterate by the model; move on those not broken.

        Takes the same number of passes for every row. Rows that are broken or spent afterwards
        keep their `adversarial`. A new state is returned; the given one is not changed.
        """

    def example_key(self, index: int, stage: int = 0, restart: int = 0) -> int:
        """The seed of one example's random stream: the same in any batch, order or process."""
        text = f"{self.seed}:{index}:{stage}:{restart}".encode()
        return int.from_bytes(blake2b(text, digest_size=8).digest(), "little") >> 1


def margins(logits: Tensor, labels: Tensor) -> Tensor:
    """By how much the label leads over the best other class `(B,)`.

    Negative where another class leads; an answer that is no number has no lead at all.

    Args:
        logits: `(B, K)`.
        labels: `(B,)`.
    """
    own = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    return (own - others).nan_to_num(nan=-torch.inf)


def initial(targets: Targets, adversarial: Tensor) -> AttackState:
    """The common part of a state at the beginning.

    Args:
        targets: The examples.
        adversarial: Where to begin.
    """
    no = torch.zeros_like(targets.labels, dtype=torch.bool)
    return AttackState(
        images=targets.images,
        labels=targets.labels,
        keys=targets.keys,
        adversarial=adversarial,
        steps=torch.zeros_like(targets.labels),
        broken=no,
        spent=no,
        margin=margins(targets.logits, targets.labels),
        zero_gradient=~no,
        bad_gradient=no,
    )
