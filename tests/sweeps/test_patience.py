"""Storages that are out of reach for a while."""

import errno
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path

import optuna
import pytest
import sqlalchemy

from robust_tuning.errors import RunError
from robust_tuning.sweeps.ledger import begin_ledger, find_ledger
from robust_tuning.sweeps.patience import PatientStorage, outage
from robust_tuning.sweeps.storage import open_storage
from tests.sweeps.material import make_sweep


class Flaky:
    """Out of reach for so many calls."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.left, self.error, self.calls = failures, error, 0

    def ask(self, number: int, *, more: int) -> int:
        self.calls += 1
        self.left -= 1
        if self.left >= 0:
            raise self.error
        return number + more


def test_what_comes_back_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    behind = Flaky(3, OSError(errno.ENOSPC, "No space left on device"))
    assert PatientStorage(behind, "here", 10, pause=0.01).ask(1, more=2) == 3
    assert behind.calls == 4
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "--storage here is out of reach ([Errno 28] No space left" in said[0]
    assert said[1].endswith("is back")


def test_what_does_not_is_an_error_in_the_end() -> None:
    behind = Flaky(10**9, TimeoutError("nobody answers"))
    began = time.monotonic()
    with pytest.raises(RunError, match=r"--storage here is out of reach \(nobody answers\)"):
        PatientStorage(behind, "here", 0.2, pause=0.02).ask(1, more=2)
    assert 0.2 <= time.monotonic() - began < 5
    assert behind.calls > 2


def test_what_waiting_does_not_mend_is_raised_at_once() -> None:
    for error in (ValueError("x"), FileNotFoundError("x"), PermissionError("x"), KeyError("x")):
        behind = Flaky(1, error)
        with pytest.raises(type(error)):
            PatientStorage(behind, "here", 60).ask(1, more=2)
        assert behind.calls == 1


def test_an_outage_is_found_below_what_optuna_makes_of_it() -> None:
    wrapped = optuna.exceptions.StorageInternalError("during the commit")
    assert outage(wrapped) is None
    wrapped.__cause__ = sqlite3.OperationalError("server closed the connection\nunexpectedly")
    assert outage(wrapped) == "server closed the connection unexpectedly"


def test_a_database_that_somebody_holds(tmp_path: Path) -> None:
    """SQLite says that it is locked, through SQLAlchemy and Optuna."""
    storage = open_storage(f"sqlite:///{tmp_path}/sweep.db")
    engine = storage._storage._backend.engine
    sqlalchemy.event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA busy_timeout = 50"))
    engine.dispose()
    ledger = begin_ledger(storage, make_sweep())
    holder = sqlite3.connect(tmp_path / "sweep.db", check_same_thread=False, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(1.0, lambda: holder.execute("ROLLBACK"))
    timer.start()
    assert ledger.add_due(ledger.records())
    assert timer.finished.is_set()
    assert len(ledger.records()) == 4
    holder.execute("BEGIN EXCLUSIVE")
    ledger.hurry()
    with pytest.raises(RunError, match=r"is out of reach \(.*locked"):
        ledger.records()
    holder.close()


def test_a_journal_on_a_full_disk(small_disk: Path) -> None:
    """Half a line may be all that had room: it is cut off, and the change made again."""
    place, filler = small_disk / "sweep.journal", small_disk / "filler"
    ledger = begin_ledger(open_storage(str(place)), make_sweep())
    ledger.add_due(ledger.records())
    with suppress(OSError), filler.open("wb", 0) as file:
        while file.write(bytes(4096)):
            pass
    timer = threading.Timer(0.5, filler.unlink)
    timer.start()
    record = ledger.records()[0]
    ledger.claim(record)
    ledger.fail(record, "failed", "x" * 20_000)
    assert timer.finished.is_set(), "the disk was not full"
    again = find_ledger(open_storage(str(place)), make_sweep())
    assert again is not None
    assert [one.state for one in again.records()] == ["failed", "waiting", "waiting", "waiting"]
    assert again.records()[0].log == "x" * 20_000


def test_a_password_is_not_printed() -> None:
    with pytest.raises(RunError) as caught:
        open_storage("postgresql+nodriver://me:secret@host/name")
    assert "nodriver://me:***@host/name" in str(caught.value)
    assert "secret" not in str(caught.value)
