import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lightning.fabric.plugins.environments import SLURMEnvironment

from robust_tuning.sweeps.process import Training, log_tail, was_killed
from robust_tuning.sweeps.run_lock import RunLock

PROGRAM = """
import os, signal, sys, time
print(sys.argv[1:], os.environ["WHAT"], flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
time.sleep(float(sys.argv[1]))
"""


def begin(folder: Path, seconds: float) -> Training:
    lock = RunLock.acquire(folder)
    assert lock is not None
    words = [sys.executable, "-S", "-c", PROGRAM, str(seconds)]
    training = Training(words, folder, lock, {"WHAT": "it"})
    lock.release()
    return training


def end_of(training: Training) -> int:
    until = time.monotonic() + 30
    while (status := training.status) is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    return status


def printed(folder: Path) -> str:
    until = time.monotonic() + 30
    while not (text := (folder / "log.txt").read_text()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return text


def test_words_environment_and_log(tmp_path: Path) -> None:
    assert end_of(begin(tmp_path, 0)) == 0
    assert end_of(begin(tmp_path, 0)) == 0
    expected = f"['0', '--run', '{tmp_path}', '--ckpt_path', 'last'] it\n"
    assert printed(tmp_path) == 2 * expected


def test_a_job_of_slurm_is_the_sweeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tasks that sweep are not two ranks of a training."""
    for name, value in {"NTASKS": "2", "JOB_ID": "7", "JOB_NAME": "mine", "PROCID": "1"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert SLURMEnvironment.detect()
    lock = RunLock.acquire(tmp_path)
    assert lock is not None
    words = [
        "from lightning.fabric.plugins.environments import SLURMEnvironment as S",
        "from robust_tuning.callbacks.slurm import job_id, was_requeued",
        "print(S.detect(), job_id(), was_requeued())",
    ]
    training = Training([sys.executable, "-c", ";".join(words)], tmp_path, lock, {})
    lock.release()
    training.wait()
    assert printed(tmp_path).split("\n")[-2] == "False None False"


def test_it_holds_the_lock_and_is_stopped(tmp_path: Path) -> None:
    training = begin(tmp_path, 60)
    printed(tmp_path)
    assert RunLock.acquire(tmp_path) is None
    training.stop()
    assert end_of(training) == 130
    lock = RunLock.acquire(tmp_path)
    assert lock is not None
    lock.release()


def test_asked_twice_it_stops_at_once(tmp_path: Path) -> None:
    """SIGTERM says it once, and may be repeated by schedulers; Ctrl-C is what a person repeats."""
    lock = RunLock.acquire(tmp_path)
    assert lock is not None
    program = PROGRAM.replace("sys.exit(130)", "print('saving', flush=True)")
    training = Training([sys.executable, "-S", "-c", program, "60"], tmp_path, lock, {"WHAT": "it"})
    lock.release()
    printed(tmp_path)
    training.stop()
    while "saving" not in printed(tmp_path):
        time.sleep(0.01)
    training.stop()  # as where its storage is lost after that
    time.sleep(0.2)
    assert training.status is None
    training.stop(at_once=True)
    assert end_of(training) == -signal.SIGINT


def test_it_is_killed(tmp_path: Path) -> None:
    training = begin(tmp_path, 60)
    training.kill()
    assert training.status == -signal.SIGKILL
    training.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="a signal of Linux")
def test_it_follows_its_worker(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.sweeps.test_process import begin;"
        "begin(Path(sys.argv[1]), 60); input()"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    until = time.monotonic() + 60
    while not (tmp_path / "log.txt").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    printed(tmp_path)
    assert RunLock.acquire(tmp_path) is None
    worker.kill()
    worker.communicate()
    while (lock := RunLock.acquire(tmp_path)) is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    lock.release()


def test_the_tail_of_a_log_is_what_a_person_would_see(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b"old\n" * 9000 + b"\x1b[1mbold\x1b[0m\n\n 10 %\r 99 %\nend\xff\n")
    assert log_tail(log, lines=3) == "bold\n 99 %\nend�"
    assert len(log_tail(log, lines=900, most=100)) == 100


def test_who_was_killed() -> None:
    assert [was_killed(status) for status in (0, 1, 2, -9, 130, 143)] == [False] * 3 + [True] * 3
