"""The processes of a job, where they work on one thing together."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

from torch import Tensor, distributed
from torch.distributed.distributed_c10d import PrefixStore, Store, _get_default_store

from robust_tuning.errors import RobustTuningError

T = TypeVar("T")

# How old a sum over all processes, or the news of another's failure, may be.
_SECONDS = 0.3
_FAILED = "failed"


@dataclass(frozen=True)
class _Failure:
    """What a process hands in instead of a result."""

    rank: int
    words: str
    interrupted: bool
    follows: bool  # another process failed first


class _ElsewhereError(RobustTuningError):
    """Another process has failed, and waits for this one to hear of it."""


class ProcessError(RobustTuningError):
    """Another process has failed, as this one has been told."""


class Processes:
    """This process among those of its job; one alone needs no `torch.distributed`.

    What is exchanged goes through the default process group, and counters through its store. All
    processes take the same calls in the same order, but for the counters.

    Args:
        rank: Of this process.
        size: How many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size
        self._store: Store | None = None
        self._scope = 0
        self._counters = {_FAILED}
        self._asked = 0.0
        self._failed = False

    @classmethod
    def current(cls) -> "Processes":
        """Those of the default process group; this one alone where there is none."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    @contextmanager
    def together(self) -> Iterator[None]:
        """Work during which an error of one process ends that of all.

        The others hear of it when they next `gather` or `check`, and raise as well; an interruption
        of one interrupts all. Counters live as long as this context; another within it begins with
        new ones.

        Raises:
            ProcessError: If another process has failed.
        """
        self._scope += 1
        if self.size == 1 or self._store is not None:
            yield
            return
        self._failed = False
        key = self.gather(uuid4().hex)[0]
        self._store = PrefixStore(key, _get_default_store())
        try:
            yield
            self.gather(None)  # nobody leaves before all are through
        except BaseException as error:
            if not self._failed:
                self._tell(error)
            raise
        finally:
            self._forget()

    def gather(self, own: T) -> list[T]:
        """What each process has, by rank; waits for all of them.

        Raises:
            ProcessError: If one has failed in the meantime.
        """
        if self.size == 1:
            return [own]
        found = self._exchanged(own)
        self._failed = any(isinstance(one, _Failure) for one in found)
        _raise_first(found)
        return found

    def align(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors by what they hold in the first process."""
        if self.size > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, 0)

    def add(self, counter: str, amount: int) -> int:
        """Add to a counter that all processes share; its value afterwards."""
        if self._store is None:
            message = "counters are shared between several processes, within together()"
            raise RuntimeError(message)
        name = f"{self._scope}/{counter}"
        self._counters.add(name)
        value: int = self._store.add(name, amount)
        return value

    def check(self) -> bool:
        """See now and then whether another process has failed; whether it was looked at.

        Raises:
            RobustTuningError: If so.
        """
        if self._store is None or time.monotonic() - self._asked < _SECONDS:
            return False
        self._asked = time.monotonic()
        if self._store.add(_FAILED, 0):
            message = "another process has failed"
            raise _ElsewhereError(message)
        return True

    def _tell(self, error: BaseException) -> None:
        """Let the others know; raises what came first, where that was another's error."""
        failure = _Failure(
            self.rank,
            f"{type(error).__name__}: {error}",
            isinstance(error, KeyboardInterrupt),
            isinstance(error, _ElsewhereError),
        )
        found: list[object] = [failure]
        with suppress(RuntimeError):  # a process that has died can be told nothing
            if self._store is not None:
                self._store.add(_FAILED, 1)
            found = self._exchanged(failure)
        if failure.follows:
            _raise_first(found)

    def _exchanged(self, own: Any) -> list[Any]:  # noqa: ANN401  whatever there is to exchange
        found: list[Any] = [None] * self.size
        distributed.all_gather_object(found, own)
        return found

    def _forget(self) -> None:
        if self._store is not None:
            for counter in self._counters:
                with suppress(RuntimeError):  # another process was first, or its store is gone
                    self._store.delete_key(counter)
        self._store = None
        self._counters = {_FAILED}


class Total:
    """A sum over all processes that is known a moment late, and costs next to nothing.

    Args:
        processes: They.
        counter: Its name.
    """

    def __init__(self, processes: Processes, counter: str) -> None:
        self._processes = processes
        self._counter = counter
        self._told = 0

    def elsewhere(self, own: int) -> int:
        """Tell this process's part, and hear of the others'."""
        told, self._told = self._told, own
        return self._processes.add(self._counter, own - told) - own


def _raise_first(found: list[object]) -> None:
    failures = [one for one in found if isinstance(one, _Failure)]
    if not failures:
        return
    first = next((one for one in failures if not one.follows), failures[0])
    if any(one.interrupted for one in failures):
        raise KeyboardInterrupt
    message = f"process {first.rank} of {len(found)} failed: {first.words}"
    raise ProcessError(message)
