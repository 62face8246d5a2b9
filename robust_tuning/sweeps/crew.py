"""The workers of one machine, and whoever watches over them."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FrameType

from robust_tuning.errors import RunError
from robust_tuning.sweeps.devices import share
from robust_tuning.sweeps.ledger import Ledger
from robust_tuning.sweeps.records import Record
from robust_tuning.sweeps.worker import WorkerSettings


class Crew:
    """Some workers, each a process of its own; one that is killed is replaced.

    Args:
        settings: What all of them are told.
        workers: How many.
        sets: Of GPUs, for one run each, from `sets_of_gpus`.
    """

    def __init__(self, settings: WorkerSettings, workers: int, sets: Sequence[str] = ()) -> None:
        self._settings = [
            replace(settings, environment={**settings.environment, **share(i, workers, sets)})
            for i in range(workers)
        ]
        self._processes = [self._start(i) for i in range(workers)]
        self._asked = 0

    def watch(
        self, ledger: Ledger, show: Callable[[Sequence[Record]], None], every: float = 1.0
    ) -> int:
        """Wait until all runs are over.

        The first Ctrl-C (SIGINT, or SIGTERM) lets every run save and stop, a second Ctrl-C stops
        at once.

        Args:
            ledger: The sweep's.
            show: Called with the runs now and then.
            every: Seconds.

        Returns:
            0 every run has come to a result, 1 some have failed, 130 interrupted.

        Raises:
            RunError: If the workers cannot work.
        """

        def interrupt(number: int, frame: FrameType | None) -> None:
            del frame
            self._send(signal.SIGINT if self._asked and number == signal.SIGINT else signal.SIGTERM)
            self._asked += 1
            ledger.hurry()

        before = {n: signal.signal(n, interrupt) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            while any(process.poll() is None for process in self._processes):
                show(ledger.records())
                time.sleep(every)
                self._replace_killed()
        finally:
            if not self._asked:
                self._send(signal.SIGTERM)
            for process in self._processes:
                process.wait()
            for number, handler in before.items():
                signal.signal(number, handler)
        records = ledger.records()
        show(records)
        if self._asked:
            return 130
        if not all(record.is_over for record in records):
            message = "no worker is left, and there are runs to do; what they said stands above"
            raise RunError(message)
        return 1 if any(record.state == "failed" for record in records) else 0

    def _start(self, number: int) -> "subprocess.Popen[bytes]":
        # Its own session: Ctrl-C reaches it through this process alone, and once.
        command = [sys.executable, "-m", "robust_tuning.sweeps.worker"]
        command.append(self._settings[number].to_json())
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    def _replace_killed(self) -> None:
        for number, process in enumerate(self._processes):
            status = process.poll()
            if status is not None and status < 0 and not self._asked:
                self._processes[number] = self._start(number)

    def _send(self, number: int) -> None:
        for process in self._processes:
            process.send_signal(number)  # none where it has ended
