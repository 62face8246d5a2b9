"""What a model answers on shifted images."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset, Subset

from robust_tuning.errors import DataError
from robust_tuning.isolation import undisturbed
from robust_tuning.metrics import misclassified
from robust_tuning.shifts.base import ShiftedSet
from robust_tuning.types import Batch

Load = Callable[[Dataset[Batch]], Iterable[Batch]]


@dataclass(frozen=True)
class Share:
    """One process's part of the work: every so many examples in a row, none of them twice.

    Attributes:
        rank: Of this process.
        processes: How many there are.
        batch_size: Examples per batch, as loaders make them: at most so many in a row.
    """

    rank: int = 0
    processes: int = 1
    batch_size: int = 256

    def of(self, examples: Dataset[Batch]) -> Dataset[Batch]:
        """The examples that this process looks at."""
        if self.processes == 1:
            return examples
        n = len(examples)  # type: ignore[arg-type]  # sized by contract
        size = self._size(n)
        batches = np.array_split(np.arange(n), range(size, n, size))
        own = batches[self.rank :: self.processes]
        return Subset(examples, np.concatenate([*own, np.empty(0, int)]).astype(int).tolist())

    def together(self, parts: "Sequence[Answers]") -> "Answers":
        """What the processes found, in the order of the examples.

        Args:
            parts: By rank.
        """
        if self.processes == 1:
            return parts[0]
        size = self._size(sum(map(len, parts)))
        dealt = [
            [part[start : start + size] for start in range(0, len(part), size)] for part in parts
        ]
        in_turn = (batch for row in zip_longest(*dealt) for batch in row if batch is not None)
        return Answers.joined([*in_turn, _NOTHING])

    def _size(self, n: int) -> int:
        """Examples that go to one process in a row; no more than would leave another without."""
        return max(1, min(self.batch_size, -(-n // self.processes)))


@dataclass(frozen=True)
class Answers:
    """The model's answers on one set, in the order in which its examples came.

    Attributes:
        indices: Identity of each example `(n,)` int64.
        labels: `(n,)` int64.
        correct: Whether it was classified correctly `(n,)` bool.
        confidence: Probability that the model gave its answer `(n,)` float32.
    """

    indices: NDArray[np.int64]
    labels: NDArray[np.int64]
    correct: NDArray[np.bool_]
    confidence: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, part: slice) -> "Answers":
        return Answers(
            self.indices[part], self.labels[part], self.correct[part], self.confidence[part]
        )

    @classmethod
    def joined(cls, parts: Sequence["Answers"]) -> "Answers":
        """Several parts behind one another."""
        return cls(
            np.concatenate([part.indices for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.correct for part in parts]),
            np.concatenate([part.confidence for part in parts]),
        )


def answers(
    model: nn.Module,
    sets: Sequence[ShiftedSet],
    *,
    load: Load,
    prepare: Callable[[Tensor], Tensor],
    device: torch.device,
    share: Share = Share(),
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Answers]:
    """Classify every image of every set, leaving no trace in the model.

    Sets that share their examples are evaluated in one pass over them, so that an image is decoded
    once for all its corruptions. The model is run in evaluation mode, in float32, as it is.

    Args:
        model: Prepared images to logits `(B, K)`.
        sets: With different keys.
        load: Makes batches of a data set, in its order.
        prepare: From loaded images, uint8 or float32 in [0, 1], to the model's.
        device: Where images are changed and classified.
        share: What part this process does.
        on_progress: Called with the number of images classified since the last call.

    Returns:
        By key; an empty array where a process has no share in a set.

    Raises:
        DataError: If a set has no examples.
    """
    found: dict[str, list[Answers]] = {one.key: [] for one in sets}
    with undisturbed(model), torch.no_grad():
        for group in grouped(sets):
            if not len(group[0].examples):  # type: ignore[arg-type]  # sized by contract
                message = f"the shifted set {group[0].key} has no examples"
                raise DataError(message)
            for batch in load(share.of(group[0].examples)):
                for one in group:
                    images = shifted(one, batch, device)
                    found[one.key].append(_answer(model, prepare(images), one, batch))
                    if on_progress is not None:
                        on_progress(len(images))
    return {key: Answers.joined([*parts, _NOTHING]) for key, parts in found.items()}


def grouped(sets: Sequence[ShiftedSet]) -> list[list[ShiftedSet]]:
    """The sets, those of the same examples together."""
    groups: dict[int, list[ShiftedSet]] = {}
    for one in sets:
        groups.setdefault(id(one.examples), []).append(one)
    return list(groups.values())


def shifted(one: ShiftedSet, batch: Batch, device: torch.device) -> Tensor:
    """The images of a batch of a set's examples as the set shows them, on a device."""
    images = batch.images.to(device)
    if one.transform is None:
        return images
    return one.transform(in_bytes(images), batch.indices.to(device))


def shifted_batches(
    one: ShiftedSet, batches: Iterable[Batch], device: torch.device
) -> Iterator[Batch]:
    """Batches of a set's examples with their images as the set shows them."""
    for batch in batches:
        yield Batch(shifted(one, batch, device), batch.labels, batch.indices)


def in_bytes(images: Tensor) -> Tensor:
    """Images as uint8; those in [0, 1] are rounded to the nearest of 256 levels."""
    if images.dtype == torch.uint8:
        return images
    return (images * 255).round_().to(torch.uint8)


class Restricted(nn.Module):
    """A model of which only some classes are answers.

    Args:
        model: Images to logits `(B, K)`.
        possible: Labels of those classes, ascending; None for all.
    """

    def __init__(self, model: nn.Module, possible: Sequence[int] | None) -> None:
        super().__init__()
        self.model = model
        self.possible = possible

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the possible classes `(B, len(possible))`."""
        logits: Tensor = self.model(images)
        return logits if self.possible is None else logits[:, self.possible]

    def renumbered(self, labels: Tensor) -> Tensor:
        """The places of labels among the possible ones."""
        if self.possible is None:
            return labels
        return torch.searchsorted(torch.tensor(self.possible, device=labels.device), labels)

    def original(self, places: Tensor) -> Tensor:
        """The labels that `renumbered` has made places of."""
        return places if self.possible is None else torch.tensor(self.possible)[places]


def _answer(model: nn.Module, images: Tensor, one: ShiftedSet, batch: Batch) -> Answers:
    restricted = Restricted(model, one.labels.answers)
    logits = restricted(images).float()
    labels = restricted.renumbered(batch.labels.to(logits.device))
    # What is no number is no answer, and nothing that one could be sure of.
    confidence = logits.softmax(1).amax(1).nan_to_num(nan=0.0).clamp(0.0, 1.0)
    return Answers(
        batch.indices.cpu().numpy(),
        batch.labels.cpu().numpy(),
        (~misclassified(logits, labels)).cpu().numpy(),
        confidence.cpu().numpy(),
    )


_NOTHING = Answers(
    np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_), np.empty(0, np.float32)
)
