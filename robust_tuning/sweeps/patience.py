"""A storage that is out of reach for a while: a database that restarts, a disk that is full."""

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from robust_tuning.errors import RunError


class PatientStorage:
    """Repeats what fails because the storage behind it is out of reach.

    A change may have been made before the answer was lost, and is then made twice. The ledger
    stands that: a run that was claimed by nobody falls silent and is taken up again, and of an
    attempt that was added twice the first counts.

    Args:
        storage: One of Optuna's.
        place: What the user calls it.
        patience: Seconds after which an outage is an error. May be set to 0 during one.
        tells: Whether outages are printed.
        pause: Seconds between two tries.
    """

    def __init__(
        self,
        storage: Any,  # noqa: ANN401  any of Optuna's
        place: str,
        patience: float,
        *,
        tells: bool = True,
        pause: float = 2.0,
    ) -> None:
        self.patience = patience
        self._tells = tells
        self._storage = storage
        self._place = place
        self._pause = pause

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  what the storage has
        found = getattr(self._storage, name)
        return partial(self._insist, found) if callable(found) else found

    def _insist(self, call: Callable[..., object], *args: object, **options: object) -> object:
        began, told = time.monotonic(), False
        while True:
            try:
                answer = call(*args, **options)
            except Exception as error:
                if (reason := outage(error)) is None:
                    raise
                if time.monotonic() - began >= self.patience:
                    message = f"--storage {self._place} is out of reach ({reason})"
                    raise RunError(message) from error
                if not told:
                    self._say(f"is out of reach ({reason}); runs go on, and it is tried again")
                    told = True
                time.sleep(min(self._pause, self.patience))
            else:
                if told:
                    self._say("is back")
                return answer

    def _say(self, text: str) -> None:
        if self._tells:
            print(f"robust-tuning sweep: --storage {self._place} {text}", file=sys.stderr)


def outage(error: BaseException) -> str | None:
    """Why a storage is out of reach, in short; None for an error that waiting does not mend."""
    if isinstance(error, OSError):
        lasting = isinstance(error, (FileNotFoundError, PermissionError))
        return None if lasting else str(error)
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__name__ in ("OperationalError", "InterfaceError"):  # of any driver
            return " ".join(str(cause).split("\n(Background")[0].split())[:200]
        cause = cause.__cause__
    return None
