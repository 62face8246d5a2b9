"""The examples of a comparison, and where attacks begin on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import torch
from torch import Tensor, nn

from robust_tuning.attacks import APGD, PGD
from robust_tuning.attacks.base import Targets
from robust_tuning.types import Batch


@dataclass(frozen=True)
class Examples:
    """Images and what the unperturbed ones are taken for.

    Attributes:
        images: `(n, C, H, W)` in [0, 1].
        labels: `(n,)`.
        correct: Whether the model classifies them correctly `(n,)`.
        draws: Random numbers in [0, 1], one per pixel, by which every attack begins
            `(n, C, H, W)`; see `drawing`.
    """

    images: Tensor
    labels: Tensor
    correct: Tensor
    draws: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, chosen: slice | Tensor) -> "Examples":
        """Some of them."""
        return Examples(
            self.images[chosen], self.labels[chosen], self.correct[chosen], self.draws[chosen]
        )

    def one_misclassified(self) -> "Examples":
        """The first, with a label that makes it count as misclassified: nothing to attack."""
        first = self.rows(slice(1))
        return Examples(
            first.images, first.labels ^ first.correct, ~first.correct.new_ones(1), first.draws
        )

    def parts(self, size: int) -> Iterator["Examples"]:
        """All of them in batches, as the peers are given them."""
        for start in range(0, len(self), size):
            yield self.rows(slice(start, start + size))

    def batches(self, size: int) -> list[Batch]:
        """All of them in batches, as a data loader gives them."""
        columns = (self.images, self.labels, torch.arange(len(self)))
        return [
            Batch(*parts) for parts in zip(*(torch.split(c, size) for c in columns), strict=True)
        ]


def examples_for(model: nn.Module, images: Tensor, labels: Tensor, attack: PGD | APGD) -> Examples:
    """Examples on which every attack begins as one of ours would."""
    with torch.no_grad():
        correct = torch.cat([model(part).argmax(1) for part in torch.split(images, 50)]) == labels
    noise = starting_noise(attack, torch.arange(len(labels)), images.shape[1:]).to(images.device)
    return Examples(images, labels, correct, (noise / attack.threat.eps + 1) / 2)


def starting_noise(attack: PGD | APGD, indices: Tensor, shape: torch.Size) -> Tensor:
    """Offsets at which an attack begins on examples, not yet clipped to valid pixels.

    Args:
        attack: One of ours, linf.
        indices: Identities of the examples `(n,)`.
        shape: Of an image.
    """
    grey = torch.full((len(indices), *shape), 0.5)
    keys = torch.tensor([attack.example_key(int(index)) for index in indices])
    none = torch.zeros(len(indices), dtype=torch.int64)
    begun = attack.start(Targets(grey, none, torch.zeros(len(indices), 10), keys))
    return begun.adversarial - grey


@contextmanager
def drawing(draws: Tensor) -> Iterator[None]:
    """Have torch's uniform random numbers be these, for code that draws its own starting points."""

    def rand(*_: object, **__: object) -> Tensor:
        return draws.clone()

    def uniform_(tensor: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
        return tensor.copy_(low + (high - low) * draws)

    with (
        patch.object(torch, "rand", rand),
        patch.object(torch, "rand_like", rand),
        patch.object(Tensor, "uniform_", uniform_),
    ):
        yield
