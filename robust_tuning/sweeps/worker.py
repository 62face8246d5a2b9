"""A worker: takes one run after another from the ledger, until all are over."""

import json
import os
import platform
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from robust_tuning.errors import RobustTuningError, RunError
from robust_tuning.sweeps.file import Sweep, to_sweep
from robust_tuning.sweeps.ledger import Failure, Ledger, find_ledger
from robust_tuning.sweeps.measure import best_compromise, history
from robust_tuning.sweeps.process import Training, was_killed
from robust_tuning.sweeps.records import Record
from robust_tuning.sweeps.run_lock import RunLock, is_abandoned
from robust_tuning.sweeps.storage import open_storage


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker is told.

    Attributes:
        content: The sweep file.
        name: The sweep's.
        count: How many runs there are.
        storage: See `open_storage`.
        folder: Where the run folders go.
        program: The words that begin a run's command.
        environment: Added to each run's.
        retries: How often a run is taken up again that has died without coming any further.
        beat: Seconds between signs of life.
        grace: Seconds of silence after which another machine's worker is taken for dead.
        poll: Seconds between two looks at a run in progress.
        patience: Seconds for which the storage may be out of reach.
    """

    content: dict[str, Any]
    name: str
    count: int
    storage: str
    folder: str
    program: tuple[str, ...]
    environment: dict[str, str]
    retries: int = 5
    beat: float = 10.0
    grace: float = 90.0
    poll: float = 0.2
    patience: float = 600.0

    @property
    def sweep(self) -> Sweep:
        """What there is to run."""
        return to_sweep(self.content, self.name, self.count)

    def to_json(self) -> str:
        """As one word of a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "WorkerSettings":
        """What `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "program": tuple(values["program"])})


class Worker:
    """Runs what is waiting, and takes over what the dead have left.

    Args:
        settings: What it is told.
        ledger: The sweep's.
    """

    def __init__(self, settings: WorkerSettings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._sweep = ledger.sweep
        self._training: Training | None = None
        self._asked = 0
        self._parent = os.getppid()

    def ask_to_stop(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Stop after saving; asked again by SIGINT, at once. A signal handler."""
        del frame
        if self._asked and number != signal.SIGINT:
            return  # schedulers repeat themselves
        self._asked += 1
        self._ledger.hurry()
        if self._training is not None:
            self._training.stop(at_once=self._asked > 1)

    def work(self) -> int:
        """Run until every run is over.

        Returns:
            0 all runs are over, 130 asked to stop.
        """
        while not self._must_stop():
            records = self._ledger.records()
            if self._ledger.add_due(records):
                continue
            if all(record.is_over for record in records):
                return 0
            self._bury_dead(records)
            waiting = [record for record in records if record.state == "waiting"]
            if not any(self._run(record) for record in waiting):
                time.sleep(5 * self._settings.poll)
        return 130

    def _must_stop(self) -> bool:
        if os.getppid() != self._parent and not self._asked:
            self.ask_to_stop()  # whoever would have asked is gone
        return self._asked > 0

    def _bury_dead(self, records: Sequence[Record]) -> None:
        """Declare lost what nobody runs any more."""
        for record in records:
            if record.state == "running" and (
                is_abandoned(self._folder(record), _signature(record))
                or self._ledger.is_silent(record, self._settings.grace)
            ):
                self._ledger.fail(record, "lost", "its worker died")

    def _folder(self, record: Record) -> Path:
        cell = self._sweep.cells[record.index] if record.index < self._sweep.size else {}
        return Path(self._settings.folder) / self._sweep.run_name(record.index, cell)

    def _run(self, record: Record) -> bool:
        """Run what is waiting; False where others have it, or an orphan is still at it."""
        folder = self._folder(record)
        lock = RunLock.acquire(folder)
        if lock is None:
            return False
        try:
            if not self._ledger.claim(record):
                return False
            lock.sign(_signature(record))  # at once: who dies unsigned is mourned until the grace
            values = self._ledger.choose(record)
            words = [*self._settings.program, *self._sweep.words(values)]
            self._training = Training(words, folder, lock, self._settings.environment)
            try:
                self._attend(record, self._training, folder)
            except RunError:  # the storage is lost; who finds it again goes on from what is saved
                self._training.stop()
                self._training.wait()
                raise
            finally:
                self._training.kill()
                self._training = None
        finally:
            lock.release()
        return True

    def _attend(self, record: Record, training: Training, folder: Path) -> None:
        """Stay with a run until it ends, and enter what has become of it."""
        stopped, beaten, size = False, 0.0, -1
        if self._asked:  # while it was started
            training.stop()
        while (status := training.status) is None:
            self._must_stop()
            if time.monotonic() - beaten > self._settings.beat:
                beaten = time.monotonic()
                if not self._ledger.beat(record):
                    return  # given up by others, who run it now
            if (now := _size(folder)) != size:
                size = now
                if self._lags_behind(record, folder) and not (stopped or self._asked):
                    stopped = True
                    training.stop()
            time.sleep(self._settings.poll)
        if self._asked and status != 0:
            self._ledger.fail(record, "interrupted")
        elif status == 0 or stopped:
            self._conclude(record, folder, early=stopped)
        else:
            reason: Failure = "lost" if was_killed(status) else "failed"
            self._ledger.fail(record, reason, f"{training.log_tail()}\nexit status {status}")

    def _lags_behind(self, record: Record, folder: Path) -> bool:
        """Report the run's points so far; whether it is to be stopped."""
        reached = history(folder, self._sweep.metric)
        current = next(r for r in self._ledger.records() if r.index == record.index)
        self._ledger.report(current, reached)
        if self._sweep.hyperband is None:
            return False
        sign = 1 if self._sweep.maximise else -1
        others = [
            [sign * value for value in other.history]
            for other in self._ledger.records()
            if other.index != record.index
        ]
        return self._sweep.hyperband.stops([sign * value for value in reached], others)

    def _conclude(self, record: Record, folder: Path, *, early: bool) -> None:
        metric = self._sweep.metric
        values: tuple[float, ...] | None
        if self._sweep.method == "pareto":
            values = best_compromise(folder, self._sweep.robust_metric)
        else:
            self._lags_behind(record, folder)
            reached = history(folder, metric)
            values = (reached[-1],) if reached else None
        if values is None:
            self._ledger.fail(record, "failed", f"the run has ended without {metric}")
        else:
            self._ledger.done(record, values, early=early)


def _signature(record: Record) -> str:
    return f"{platform.node()} {record.trial_id}"


def _size(folder: Path) -> int:
    try:
        return (folder / "frontier.jsonl").stat().st_size
    except FileNotFoundError:
        return -1


def main(argv: list[str]) -> int:
    """Be a worker.

    Args:
        argv: The settings.

    Returns:
        0 all runs are over, 1 failed, 130 asked to stop.
    """
    settings = WorkerSettings.from_json(argv[0])
    try:
        # Whoever watches over the workers says once for all of them what is out of reach.
        storage = open_storage(settings.storage, settings.patience, tells=False)
        ledger = find_ledger(storage, settings.sweep, settings.retries)
        if ledger is None:
            message = f"{settings.storage} holds no sweep {settings.name!r}"
            raise RunError(message)
        worker = Worker(settings, ledger)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, worker.ask_to_stop)
        return worker.work()
    except RobustTuningError as error:
        print(f"robust-tuning sweep: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
