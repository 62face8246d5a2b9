"""Several processes on this machine that find one another, for tests of what they do together."""

import os
import socket
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import distributed, multiprocessing

from robust_tuning.processes import Processes
from robust_tuning.types import Batch

PATIENCE = 150


class InMemory:
    """A `Source` of batches that lie in memory; it notes what it was asked for."""

    def __init__(self, batches: Sequence[Batch], size: int) -> None:
        self._columns = [torch.cat(column) for column in zip(*batches, strict=True)]
        self._size = size
        self.fetched: list[int] = []

    def __len__(self) -> int:
        return len(self._columns[1])

    def __iter__(self) -> Any:
        return self.batches(range(len(self)))

    def batches(self, positions: Sequence[int]) -> Any:
        for start in range(0, len(positions), self._size):
            yield self._rows(positions[start : start + self._size])

    def few(self, positions: Sequence[int]) -> Batch:
        self.fetched += positions
        return self._rows(positions)

    def _rows(self, positions: Sequence[int]) -> Batch:
        return Batch(*(column[list(positions)] for column in self._columns))


def in_processes(
    size: int,
    work: Callable[..., Any],
    folder: Path,
    *arguments: Any,
    meet: bool = True,
) -> list[Any]:
    """What `work(processes, *arguments)` returns, or the error it raises, in each process.

    Args:
        size: How many processes.
        work: A function of a module, so that another process finds it.
        folder: An empty one.
        arguments: More arguments.
        meet: Make a process group of them; otherwise `work` gets rank and size for `Processes`,
            and makes one.
    """
    # Forked from a process that has imported the libraries, and used none of them yet.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.gloo", "robust_tuning.cli.train"])
    children = []
    for rank in range(size):
        given = (rank, size, work, folder, arguments, meet)
        children.append(context.Process(target=_run, args=given))
    for child in children:
        child.start()
    ends = time.monotonic() + PATIENCE
    for child in children:
        child.join(max(0.0, ends - time.monotonic()))
        if child.is_alive():
            for other in children:
                other.kill()
            message = f"the processes were not through after {PATIENCE} s"
            raise TimeoutError(message)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(size)]


def as_torchrun(rank: int, size: int, port: int) -> None:
    """Tell this process what `torchrun` tells it, with every process on a node of its own."""
    os.environ.update(
        RANK=str(rank),
        WORLD_SIZE=str(size),
        LOCAL_RANK="0",
        LOCAL_WORLD_SIZE="1",
        GROUP_RANK=str(rank),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        TORCHELASTIC_RUN_ID="a test",
    )
    # Lightning has been imported before it could read this from the environment.
    rank_zero_only.rank = rank  # type: ignore[attr-defined]  # as Lightning does


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return int(some.getsockname()[1])


def _run(
    rank: int,
    size: int,
    work: Callable[..., Any],
    folder: Path,
    arguments: tuple[Any, ...],
    meet: bool,
) -> None:
    torch.set_num_threads(1)
    if meet:
        distributed.init_process_group(
            "gloo",
            init_method=f"file://{folder / 'meeting'}",
            rank=rank,
            world_size=size,
            timeout=timedelta(seconds=PATIENCE),
        )
    try:
        found = work(Processes.current() if meet else Processes(rank, size), *arguments)
    except BaseException as error:
        found = error
    torch.save(found, folder / f"{rank}.pt")
    if distributed.is_initialized():
        distributed.destroy_process_group()
