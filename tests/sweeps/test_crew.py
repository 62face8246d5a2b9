import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from robust_tuning.errors import RunError
from robust_tuning.sweeps.crew import Crew
from robust_tuning.sweeps.records import Record
from tests.sweeps.test_worker import BOTH, LORA, make_settings


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


def test_workers_share_the_runs_and_the_gpus(tmp_path: Path) -> None:
    settings, ledger = make_settings(tmp_path, [0, 1], BOTH, run_cap=6)
    assert Crew(settings, 2, ["4", "6"]).watch(ledger, lambda _: None, every=0.1) == 1
    assert [r.state for r in ledger.records()] == [
        "done",
        "done",
        "failed",
        "failed",
        "done",
        "done",
    ]
    used = {log.read_text().split()[2] for log in tmp_path.glob("*/log.txt")}
    assert used == {"4", "6"}


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    settings, ledger = make_settings(tmp_path, [0], BOTH, run_cap=4)
    crew = Crew(replace(settings, retries=5), 1)
    killed = []

    def kill_once(records: Sequence[Record]) -> None:
        if not killed and any(record.state == "running" for record in records):
            killed.append(crew._processes[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    assert crew.watch(ledger, kill_once, every=0.02) == 0
    assert killed
    assert all(record.state == "done" for record in ledger.records())


def test_an_interrupt_reaches_the_runs(tmp_path: Path) -> None:
    settings, ledger = make_settings(tmp_path, [4], LORA, run_cap=2)
    crew, asked = Crew(settings, 2), []

    def interrupt_once(_: Sequence[Record]) -> None:
        if not asked and len(list(tmp_path.glob("*/frontier.jsonl"))) == 2:
            asked.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    assert crew.watch(ledger, interrupt_once, every=0.02) == 130
    assert asked
    assert [record.marks["outcome"] for record in ledger.records()] == ["interrupted"] * 2
    assert signal.getsignal(signal.SIGINT) is before


def test_workers_that_cannot_work_are_an_error(tmp_path: Path) -> None:
    settings, ledger = make_settings(tmp_path, [0], LORA)
    lost = replace(settings, storage=str(tmp_path / "other.journal"))
    with pytest.raises(RunError, match="no worker is left"):
        Crew(lost, 1).watch(ledger, lambda _: None, every=0.02)
