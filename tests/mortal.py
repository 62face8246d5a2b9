"""The command in processes that die by the one signal that nothing can catch, where a test says.

They are forked from a process that has loaded everything, so that a start takes a second.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

# Whoever forks has loaded these.
LOADED = ["robust_tuning.cli.train", "robust_tuning.cli.evaluate", "sklearn.datasets", "wandb"]


@dataclass(frozen=True)
class Moment:
    """When a process dies.

    Attributes:
        place: One of `PLACES`, or `any time`.
        count: At which visit of the place; milliseconds after the start where there is none.
    """

    place: str
    count: int


def run(words: list[str], log: Path, moment: Moment | None = None, **environment: str) -> bool:
    """Run the command in a process of its own.

    Args:
        words: Behind `robust-tuning`.
        log: What it prints is appended here.
        moment: When it is killed; None lets it end.
        environment: Variables.

    Returns:
        Whether it was killed; it may have ended before.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    process = context.Process(target=_live, args=(words, log, moment, environment))
    process.start()
    timed = moment is not None and moment.place == ANY_TIME
    process.join(moment.count / 1000 if moment and timed else 300)
    if process.is_alive():
        assert timed, f"{words} take too long"
        process.kill()
        process.join()
    assert process.exitcode in (0, -signal.SIGKILL), log.read_text()
    return process.exitcode != 0


def _live(
    words: list[str], log: Path, moment: Moment | None, environment: dict[str, str]
) -> NoReturn:
    import torch

    from robust_tuning.attacks import journal
    from robust_tuning.cli import main, train

    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.update(environment)
    torch.set_num_threads(1)
    train.announce_summary = lambda _: None  # plots take longer than the run
    journal._SECONDS = 0.0  # write after every step, not every few seconds
    if moment is not None and moment.place != ANY_TIME:
        PLACES[moment.place](_Countdown(moment.count))
    status = main.main(words)
    if "wandb" in sys.modules:  # as at the end of any other process
        sys.modules["wandb"].finish()
    sys.stdout.flush()
    os._exit(status)


class _Countdown:
    """Kills this process at a visit."""

    def __init__(self, count: int) -> None:
        self._left = count

    def visit(self) -> bool:
        """Whether this is the one."""
        self._left -= 1
        return self._left == 0

    def __call__(self) -> None:
        if self.visit():
            die()


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def _before(owner: Any, name: str) -> Callable[[_Countdown], None]:
    """Die instead of a call."""

    def arm(countdown: _Countdown) -> None:
        holder = _resolved(owner)
        real = getattr(holder, name)

        def mortal(*arguments: Any, **settings: Any) -> Any:
            countdown()
            return real(*arguments, **settings)

        setattr(holder, name, mortal)

    return arm


def _after(owner: Any, name: str) -> Callable[[_Countdown], None]:
    """Die when a call has done its work."""

    def arm(countdown: _Countdown) -> None:
        holder = _resolved(owner)
        real = getattr(holder, name)

        def mortal(*arguments: Any, **settings: Any) -> Any:
            result = real(*arguments, **settings)
            countdown()
            return result

        setattr(holder, name, mortal)

    return arm


class _Half:
    """A file of which a half is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, content: Any) -> NoReturn:
        self._file.write(bytes(content)[: len(content) // 2])
        self._file.flush()
        die()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _half(owner: str) -> Callable[[_Countdown], None]:
    """Die when a half of a file that replaces another is on the disk."""

    def arm(countdown: _Countdown) -> None:
        holder = _resolved(owner)
        real = holder.replace_file

        def mortal(path: Path, write: Callable[[Any], object]) -> None:
            half = countdown.visit()
            real(path, lambda file: write(_Half(file) if half else file))

        holder.replace_file = mortal

    return arm


def _half_a_line(countdown: _Countdown) -> None:
    """Die when a half of a point's line is in the file."""
    store = _resolved("robust_tuning.frontier.store")
    real = os.write

    class System:
        def write(self, descriptor: int, content: bytes) -> int:
            if countdown.visit():
                real(descriptor, content[: len(content) // 2])
                die()
            return real(descriptor, content)

        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

    store.os = System()


def _resolved(owner: str) -> Any:
    module, _, name = owner.partition(":")
    __import__(module)
    return getattr(sys.modules[module], name) if name else sys.modules[module]


ANY_TIME = "any time"
_CHECKPOINTS = "robust_tuning.callbacks.checkpoint_files"
_RECORDER = "robust_tuning.callbacks.recorder"
_TUNER = "robust_tuning.tuner:RobustTuner"

PLACES: dict[str, Callable[[_Countdown], None]] = {
    "a step forth": _after(_TUNER, "training_step"),
    "a step of the optimiser": _after("torch.optim:AdamW", "step"),
    "a row of the curves": _after("robust_tuning.loggers:MetricsFile", "log_metrics"),
    "validation": _before(_TUNER, "validation_step"),
    "half a checkpoint": _half(_CHECKPOINTS),
    "a checkpoint not yet written": _before(_CHECKPOINTS, "replace_file"),
    "a checkpoint just written": _after(_CHECKPOINTS, "replace_file"),
    "a step of an attack": _after("robust_tuning.attacks.pool:Pool", "_step"),
    "an evaluation just done": _after("robust_tuning.callbacks.adversarial", "to_measurement"),
    "half a file of outcomes": _half("robust_tuning.frontier.outcomes"),
    "half a stored state": _half("robust_tuning.trajectory"),
    "half a point": _half_a_line,
    "a point just stored": _after(_RECORDER, "append_point"),
}
