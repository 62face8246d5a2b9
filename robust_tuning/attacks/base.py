"""What an attack is: immutable settings, and a pure state per example."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from typing import Self

import torch
from torch import Tensor

from robust_tuning.attacks.threat import ThreatModel

Model = Callable[[Tensor], Tensor]


@dataclass
class AttackState:
    """Where an attack stands, one row per example. Subclasses add tensors with a row each.

    Attributes:
        images: The originals `(B, C, H, W)`, in [0, 1].
        labels: `(B,)` int64.
        adversarial: The iterate that the next forward pass will judge, or that broke the model.
        steps: Gradient steps taken `(B,)`.
        broken: Whether a forward pass of the model misclassified `adversarial` `(B,)`.
        spent: Whether the budget is used up `(B,)`.
        zero_gradient: Whether every gradient so far was exactly zero `(B,)`.
        bad_gradient: Whether any gradient was not finite `(B,)`.
    """

    images: Tensor
    labels: Tensor
    adversarial: Tensor
    steps: Tensor
    broken: Tensor
    spent: Tensor
    zero_gradient: Tensor
    bad_gradient: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, chosen: Tensor) -> Self:
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


class Attack(ABC):
    """A vectorised state machine over examples.

    An attack holds settings and a seed, never a model or an example. What happens to an example
    depends on its images, its label, its key and the model; not on its neighbours in a batch.

    Attributes:
        threat: What the adversary may do.
        seed: Where all randomness comes from.
    """

    threat: ThreatModel
    seed: int

    @abstractmethod
    def start(self, images: Tensor, labels: Tensor, keys: list[int]) -> AttackState:
        """Begin.

        Args:
            images: `(B, C, H, W)` in [0, 1], correctly classified.
            labels: `(B,)` int64.
            keys: One seed per example, see `example_key`.
        """

    @abstractmethod
    def step(self, model: Model, state: AttackState) -> AttackState:
        """Judge every row's iterate by one forward pass of `model`; move on those not broken.

        Takes exactly one forward and at most one backward pass. Rows that are broken or spent
        afterwards keep their `adversarial`.
        """

    def example_key(self, index: int, stage: int = 0, restart: int = 0) -> int:
        """The seed of one example's random stream: the same in any batch, order or process."""
        text = f"{self.seed}:{index}:{stage}:{restart}".encode()
        return int.from_bytes(blake2b(text, digest_size=8).digest(), "little") >> 1
