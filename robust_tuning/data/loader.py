"""A training loader that continues in mid-epoch where it was interrupted."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from robust_tuning.data.augmentation import AugmentedExamples, Draw
from robust_tuning.data.examples import collate
from robust_tuning.errors import DataError
from robust_tuning.processes import Processes
from robust_tuning.types import Batch


class EpochOrder(Sampler[int | Draw]):
    """A new random order each epoch that depends on the seed and the epoch alone.

    With several processes each takes every `world_size`-th example of the common order; the order
    wraps around so that all take equally many.

    Args:
        size: Number of examples.
        seed: The order's seed.
        draws: Say the epoch along with each position, for examples that change with it.
    """

    def __init__(self, size: int, seed: int, *, draws: bool = False) -> None:
        self.size = size
        self.seed = seed
        self.draws = draws
        self.epoch = 0
        self.skip = 0
        processes = Processes.current()
        self.rank, self.world_size = processes.rank, processes.size

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this before each."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.size // self.world_size)

    def __iter__(self) -> Iterator[int | Draw]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(self.size, generator=generator)
        places = torch.arange(self.rank, len(self) * self.world_size, self.world_size)
        positions = order[places % self.size][self.skip :].tolist()
        if self.draws:
            return iter([Draw(position, self.epoch) for position in positions])
        return iter(positions)


def even_batches(size: int, batch_size: int, what: str) -> list[list[int]]:
    """The positions that this process evaluates, in batches; all processes get equally many.

    Nothing is padded and nothing comes twice: batches differ by at most one example in size.

    Args:
        size: Number of examples.
        batch_size: Examples per batch at most, or two.
        what: What is evaluated, for the error.

    Raises:
        DataError: If there are fewer examples than processes: one would have no batch, and the
            others wait for it.
    """
    processes = Processes.current()
    if size < processes.size:
        message = (
            f"the {what} has {size} examples, expected one for each of {processes.size} processes "
            "at least; use fewer devices"
        )
        raise DataError(message)
    # As few as there are examples in each process, where batches of one would leave one without.
    count = min(math.ceil(math.ceil(size / processes.size) / batch_size), size // processes.size)
    own = np.arange(processes.rank, size, processes.size)
    return [part.tolist() for part in np.array_split(own, count)]


class BatchLoader(DataLoader[Batch]):
    """A DataLoader whose worker processes report bad data in our words.

    torch puts a worker's whole traceback into the message of the error that it raises again.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # a generator around its own
        try:
            yield from super().__iter__()
        except DataError as error:
            message = str(error).rpartition("DataError: ")[2].strip()
            raise DataError(message) from error


class ResumableLoader(BatchLoader):
    """A DataLoader that says how many batches it has handed out, and starts after as many.

    The data module stores `state_dict` in checkpoints and gives it back when a run is resumed.

    Args:
        dataset: The training examples.
        batch_size: Examples per batch; the last batch of an epoch may be smaller.
        seed: Seed of the order.
        num_workers: Processes that load examples; 0 loads in this one.
    """

    def __init__(
        self, dataset: Dataset[Batch], batch_size: int, *, seed: int, num_workers: int = 0
    ) -> None:
        self._order = EpochOrder(
            len(dataset),  # type: ignore[arg-type]  # sized by contract
            seed,
            draws=isinstance(dataset, AugmentedExamples),
        )
        self._handed_out = 0
        self._resume_at = (0, 0)
        super().__init__(
            dataset,
            batch_size,
            sampler=self._order,
            num_workers=num_workers,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=num_workers > 0,
        )

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # as above
        epoch, batches = self._resume_at
        self._handed_out = batches if self._order.epoch == epoch else 0
        self._resume_at = (0, 0)
        self._order.skip = self._handed_out * (self.batch_size or 1)
        for batch in super().__iter__():
            self._handed_out += 1
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """The current epoch, and how many of its batches were handed out."""
        return {"epoch": self._order.epoch, "batches": self._handed_out}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Start the next iteration after as many batches, if it is of that epoch."""
        self._resume_at = (int(state["epoch"]), int(state["batches"]))
