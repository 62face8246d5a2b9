"""One training as a process of its own."""

import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from robust_tuning.sweeps.run_lock import RunLock

LOG_NAME = "log.txt"
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class Training:
    """`robust-tuning fit` in a run folder, begun there or continued.

    What it prints is appended to the folder's log. It has a session of its own, so that Ctrl-C in a
    terminal reaches it through its worker alone, and once. Where the worker is killed, Linux asks
    it to save and stop; elsewhere it goes on to its end. Until then it holds the folder's lock.

    Args:
        words: Program and options, but for the run folder.
        folder: The run folder.
        lock: Of the folder.
        environment: What to add to this process's own.
    """

    def __init__(
        self, words: Sequence[str], folder: Path, lock: RunLock, environment: Mapping[str, str]
    ) -> None:
        self._log = folder / LOG_NAME
        worker = os.getpid()

        # A job of SLURM's is the sweep, whose tasks are no ranks of this training: under this name
        # Lightning leaves SLURM alone and starts the processes of several devices itself.
        slurm = {"SLURM_JOB_NAME": "interactive"} if "SLURM_JOB_ID" in os.environ else {}

        def follow_worker() -> None:
            if _LIBC is not None:
                _LIBC.prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
            if os.getppid() != worker:  # it was faster
                os._exit(1)

        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*words, "--run", str(folder), "--ckpt_path", "last"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **slurm, **environment},
                pass_fds=(lock.descriptor,),
                start_new_session=True,
                preexec_fn=follow_worker,  # a worker has one thread
            )

    @property
    def status(self) -> int | None:
        """As the process has ended; None while it runs."""
        return self._process.poll()

    def stop(self, *, at_once: bool = False) -> None:
        """Ask it to save and stop, any number of times; or to stop `at_once`, once asked."""
        self._process.send_signal(signal.SIGINT if at_once else signal.SIGTERM)

    def wait(self) -> None:
        """Until it has ended."""
        self._process.wait()

    def kill(self) -> None:
        """End it, and all that it has started."""
        if self.status is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def log_tail(self, lines: int = 20) -> str:
        """What it has printed last, without colours."""
        return log_tail(self._log, lines)


def log_tail(path: Path, lines: int = 20, most: int = 2000) -> str:
    """The last lines of a log, as a person would see them.

    Args:
        path: The log.
        lines: How many at most.
        most: Of how many characters at most.
    """
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 20_000))
        text = file.read().decode(errors="replace")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    shown = (line.rpartition("\r")[2].rstrip() for line in text.split("\n"))
    return "\n".join([line for line in shown if line][-lines:])[-most:]


def was_killed(status: int) -> bool:
    """Whether a process has not come to its end: a signal ended it, or asked it to."""
    return status < 0 or status >= 128  # a shell's way to say the same
