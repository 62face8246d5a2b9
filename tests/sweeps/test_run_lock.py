import subprocess
import sys
from pathlib import Path

from robust_tuning.sweeps.run_lock import RunLock, is_abandoned


def test_one_at_a_time(tmp_path: Path) -> None:
    lock = RunLock.acquire(tmp_path / "run")
    assert lock is not None
    assert RunLock.acquire(tmp_path / "run") is None
    lock.release()
    again = RunLock.acquire(tmp_path / "run")
    assert again is not None
    again.release()


def test_who_has_signed_is_gone_once_the_lock_is_free(tmp_path: Path) -> None:
    assert not is_abandoned(tmp_path, "me 1")
    lock = RunLock.acquire(tmp_path)
    assert lock is not None
    lock.sign("me 12345")
    lock.sign("me 1")
    assert not is_abandoned(tmp_path, "me 1")
    lock.release()
    assert is_abandoned(tmp_path, "me 1")
    assert not is_abandoned(tmp_path, "me 2")
    assert not is_abandoned(tmp_path, "other 1")


def test_an_orphan_keeps_it(tmp_path: Path) -> None:
    lock = RunLock.acquire(tmp_path)
    assert lock is not None
    lock.sign("me 1")
    orphan = subprocess.Popen(
        [sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock.descriptor,)
    )
    lock.release()
    assert RunLock.acquire(tmp_path) is None
    assert not is_abandoned(tmp_path, "me 1")
    orphan.communicate(b"\n")
    assert is_abandoned(tmp_path, "me 1")
