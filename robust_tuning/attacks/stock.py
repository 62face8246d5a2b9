"""Where the stages of an attack get their examples from."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robust_tuning.attacks.dealing import Deal
from robust_tuning.attacks.pool import Pool, Waiting
from robust_tuning.processes import Processes
from robust_tuning.types import Batch

Feed = Callable[[Waiting], None]


class Stock(Protocol):
    """Correctly classified examples, by their positions in the evaluation."""

    def work(self, active: NDArray[np.bool_], feed: Feed, pool: Pool) -> Iterator[None]:
        """Have a pool attack some of them, until all are done with.

        Args:
            active: Which of the evaluation's examples `(n,)`; misclassified ones are not among
                them.
            feed: Puts examples into the pool.
            pool: Where they are attacked.

        Yields:
            After each step.
        """


@runtime_checkable
class Source(Protocol):
    """Examples that can be had by their positions, in whichever process."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...

    def batches(self, positions: Sequence[int]) -> Iterable[Batch]:
        """Many examples, in batches."""

    def few(self, positions: Sequence[int]) -> Batch:
        """A handful of examples, at once."""


@dataclass(frozen=True)
class Classified:
    """The model's answers to some examples.

    Attributes:
        labels: `(B,)`.
        logits: `(B, K)`.
        indices: Identities `(B,)`, on the CPU.
    """

    labels: Tensor
    logits: Tensor
    indices: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def on_cpu(self) -> "Classified":
        """The same on the CPU."""
        return Classified(self.labels.cpu(), self.logits.cpu(), self.indices)

    @classmethod
    def interleaved(
        cls, parts: Sequence[Sequence["Classified"]], places: Sequence[NDArray[np.int64]]
    ) -> "Classified":
        """The answers of all processes, in the order of the examples.

        Args:
            parts: By rank.
            places: By rank, the positions of the examples in those parts.
        """
        order = torch.from_numpy(np.argsort(np.concatenate(places)))
        every = [part for some in parts for part in some]
        columns = zip(*((part.labels, part.logits, part.indices) for part in every), strict=True)
        return cls(*(torch.cat(column)[order] for column in columns))


class OwnStock:
    """All there are, in this process."""

    def __init__(self) -> None:
        self._parts: list[Waiting] = []

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def put(self, waiting: Waiting) -> None:
        """Add examples."""
        self._parts.append(waiting.to("cpu"))

    def work(self, active: NDArray[np.bool_], feed: Feed, pool: Pool) -> Iterator[None]:
        """See `Stock`."""
        for waiting in self._parts:
            chosen = torch.from_numpy(active[waiting.positions.numpy()]).nonzero().flatten()
            feed(waiting.rows(chosen))
        yield from pool.work(drain=True)


class SharedStock:
    """Each process holds the images of its share, and works on others' when it runs out.

    These are then loaded again, which happens at the end of a stage and to few.

    Args:
        processes: They.
        source: Where images come from.
        images: Of this process's share, by position, on the CPU.
        answers: To all unperturbed images, on the CPU.
    """

    def __init__(
        self,
        processes: Processes,
        source: Source,
        images: dict[int, Tensor],
        answers: Classified,
    ) -> None:
        self._processes = processes
        self._source = source
        self._images = images
        self._answers = answers
        self._deals = 0

    def work(self, active: NDArray[np.bool_], feed: Feed, pool: Pool) -> Iterator[None]:
        """See `Stock`; returns when this process finds nothing more to do."""
        self._deals += 1
        lists = shares(np.flatnonzero(active), self._processes)
        deal = Deal(self._processes, f"deal {self._deals}", lists)
        more = True
        while True:
            if more and (room := pool.free):
                part = deal.take(room)
                more = len(part) > 0
                if more:
                    feed(self._waiting(part))
            if pool.advance():
                yield
            elif not more:
                return

    def _waiting(self, positions: NDArray[np.int64]) -> Waiting:
        chosen = torch.from_numpy(positions)
        missing = [place for place in positions.tolist() if place not in self._images]
        loaded: dict[int, Tensor] = {}
        if missing:
            loaded = dict(zip(missing, self._source.few(missing).images.cpu(), strict=True))
        images = [loaded[p] if p in loaded else self._images[p] for p in positions.tolist()]
        return Waiting(
            torch.stack(images),
            self._answers.labels[chosen],
            self._answers.logits[chosen],
            chosen,
            self._answers.indices[chosen],
        )


def shares(positions: NDArray[np.int64], processes: Processes) -> list[NDArray[np.int64]]:
    """By rank, which examples a process classifies, and holds the images of.

    Neighbours, which are often alike, lie apart.
    """
    return [positions[positions % processes.size == rank] for rank in range(processes.size)]
