"""Verdicts written down as they fall, so that an interrupted evaluation goes on where it was."""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robust_tuning.attacks.base import AttackState
from robust_tuning.errors import RobustTuningError

# How long verdicts may lie in memory alone.
_SECONDS = 2.0


@dataclass(frozen=True)
class Verdicts:
    """How a stage ended for some examples.

    Attributes:
        broken: Whether it broke them `(n,)` bool.
        steps: Taken `(n,)` int64.
        margin: Smallest lead of the label seen, in logits `(n,)` float64.
        zero_gradient: Whether every gradient was zero `(n,)` bool.
        bad_gradient: Whether a gradient was not finite `(n,)` bool.
        distance: Norm of the smallest perturbation found, infinite where none is or none was
            looked for `(n,)` float64.
    """

    broken: NDArray[np.bool_]
    steps: NDArray[np.int64]
    margin: NDArray[np.float64]
    zero_gradient: NDArray[np.bool_]
    bad_gradient: NDArray[np.bool_]
    distance: NDArray[np.float64]

    @classmethod
    def of(cls, state: AttackState) -> "Verdicts":
        """Those of examples that leave an attack."""
        distance = getattr(state, "distance", None)
        if distance is None:
            distance = state.margin.new_full(state.margin.shape, np.inf)
        return cls(
            state.broken.cpu().numpy(),
            state.steps.cpu().numpy(),
            state.margin.double().cpu().numpy(),
            state.zero_gradient.cpu().numpy(),
            state.bad_gradient.cpu().numpy(),
            distance.double().cpu().numpy(),
        )


@dataclass(frozen=True)
class Cost:
    """What an evaluation has taken.

    Attributes:
        forward: Forward passes, in examples.
        backward: Backward passes, in examples.
        seconds: Of time.
    """

    forward: int = 0
    backward: int = 0
    seconds: float = 0.0

    def plus(self, other: "Cost") -> "Cost":
        """Both together."""
        return Cost(
            self.forward + other.forward,
            self.backward + other.backward,
            self.seconds + other.seconds,
        )


Row = tuple[bool, int, float, bool, bool, float]


class Journal:
    """A file of verdicts, one line for what has come together in a moment.

    What an example's verdict is does not depend on when it falls. So an evaluation that finds some
    in its journal need not find them out again, and ends with the same result.

    Args:
        path: The file. It belongs to one evaluation: the caller sees to it that another model,
            attack or selection of examples has another file.
        others: Files that other processes of the evaluation have written, or are about to.

    Attributes:
        earlier: What the evaluation has cost this process before.

    Raises:
        RobustTuningError: If the file can be neither read nor written.
    """

    def __init__(self, path: Path, others: Iterable[Path] = ()) -> None:
        self._path = path
        self._known: dict[tuple[str, int], dict[int, Row]] = {}
        self._waiting: list[tuple[str, int, int, Row]] = []
        self._written = time.monotonic()
        self._meter: Callable[[], Cost] = Cost
        self.earlier = Cost()
        for other in others:
            self._read(other)
        self.earlier, torn = self._read(path)
        if torn:
            os.truncate(path, path.stat().st_size - torn)

    def known(self, threat: str, stage: int, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which examples have a verdict of a stage `(n,)`."""
        rows = self._known.get((threat, stage), {})
        return np.array([int(index) in rows for index in indices], dtype=bool)

    def recall(self, threat: str, stage: int, indices: NDArray[np.int64]) -> Verdicts:
        """The verdicts of examples that are known."""
        rows = self._known[threat, stage]
        columns = zip(*(rows[int(index)] for index in indices), strict=True)
        return Verdicts(*(np.array(column) for column in columns))

    def enter(
        self, threat: str, stage: int, indices: NDArray[np.int64], verdicts: Verdicts
    ) -> None:
        """Note verdicts; they are written within seconds, and at the end."""
        columns = [getattr(verdicts, field.name).tolist() for field in fields(Verdicts)]
        for index, *row in zip(indices.tolist(), *columns, strict=True):
            self._waiting.append((threat, stage, index, tuple(row)))

    def keep_up(self) -> None:
        """Write what is waiting, if it has waited long enough."""
        if time.monotonic() - self._written > _SECONDS:
            self._write()

    @contextmanager
    def open_until_done(self, meter: Callable[[], Cost]) -> Iterator[None]:
        """Write what is waiting also when the evaluation is interrupted.

        Args:
            meter: What this process has spent so far.
        """
        self._meter = meter
        try:
            yield
        finally:
            self._write()

    def remove(self) -> None:
        """Delete the file, and its folder if nothing else is in it."""
        self._path.unlink(missing_ok=True)
        with suppress(OSError):
            self._path.parent.rmdir()

    def _write(self) -> None:
        if not self._waiting:
            return
        cost = astuple(self.earlier.plus(self._meter()))
        line = json.dumps({"cost": cost, "verdicts": self._waiting}, separators=(",", ":"))
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            message = f"cannot write the verdicts reached so far to {self._path}: {error}"
            raise RobustTuningError(message) from error
        self._waiting = []
        self._written = time.monotonic()

    def _read(self, path: Path) -> tuple[Cost, int]:
        """Take what complete lines say: their cost, and how many bytes of a torn one follow."""
        earlier = Cost()
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return earlier, 0
        except OSError as error:
            message = f"cannot read the verdicts reached so far in {path}: {error}"
            raise RobustTuningError(message) from error
        whole = content[: content.rfind(b"\n") + 1]
        try:
            for line in whole.splitlines():
                record = json.loads(line)
                earlier = Cost(*record["cost"])
                for threat, stage, index, row in record["verdicts"]:
                    self._known.setdefault((threat, stage), {})[index] = tuple(row)
        except (ValueError, KeyError, TypeError) as error:
            message = f"{path} does not hold verdicts ({error}): delete it to begin anew"
            raise RobustTuningError(message) from error
        return earlier, len(content) - len(whole)
