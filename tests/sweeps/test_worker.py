import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from robust_tuning.frontier import read_points
from robust_tuning.sweeps.ledger import Ledger
from robust_tuning.sweeps.records import Record
from robust_tuning.sweeps.run_lock import RunLock
from robust_tuning.sweeps.worker import Worker, WorkerSettings, main
from tests.sweeps.material import make_ledger, make_sweep

LORA, BOTH = ["LoRA"], ["LoRA", "BitFit"]


def make_settings(folder: Path, seeds: list[int], strategies: list[str], **changes: Any) -> Any:
    parameters = {
        "model.strategy": {"values": strategies},
        "seed_everything": {"values": seeds},
        "data.x": {"values": [0, 1]},
    }
    sweep = make_sweep(**{"parameters": parameters, "run_cap": len(seeds) * 2, **changes})
    settings = WorkerSettings(
        content=dict(sweep.content),
        name=sweep.name,
        count=sweep.size,
        storage=str(folder / "sweep.journal"),
        folder=str(folder),
        program=(sys.executable, "-m", "tests.sweeps.stand_in"),
        environment={"PYTHONPATH": os.pathsep.join(sys.path)},
        retries=1,
        poll=0.02,
    )
    return settings, make_ledger(folder, sweep, retries=1)


def work(settings: WorkerSettings, ledger: Ledger) -> list[Record]:
    assert Worker(settings, ledger).work() == 0
    return ledger.records()


def test_a_failure_is_that_runs_alone(tmp_path: Path) -> None:
    settings, ledger = make_settings(tmp_path, [1, 0, 5], LORA)
    records = work(settings, ledger)
    assert [r.state for r in records] == ["failed", "failed", "done", "done", "failed", "failed"]
    assert records[0].log.split("\n") == ["began LoRA None", "loss is nan", "exit status 1"]
    assert records[2].history[-1:] == records[2].values
    assert len(records[2].history) == 4
    assert records[4].log == "the run has ended without frontier/area"
    assert len(read_points(tmp_path / "002-seed0-x0")) == 4


def test_what_is_killed_goes_on_where_it_was_but_not_for_ever(tmp_path: Path) -> None:
    settings, ledger = make_settings(tmp_path, [2, 3], LORA, run_cap=3)
    records = work(settings, ledger)
    assert [record.state for record in records] == ["done", "done", "failed"]
    assert [record.attempt for record in records] == [1, 1, 1]
    assert "exit status -9" in records[2].log
    assert [point.step for point in read_points(tmp_path / "000-seed2-x0")] == [0, 1, 2, 3]


def test_two_objectives(tmp_path: Path) -> None:
    settings, ledger = make_settings(tmp_path, [0], BOTH, method="pareto", run_cap=3)
    records = work(settings, ledger)
    assert {record.values for record in records} <= {(1.0, 0.5), (0.4, 0.2)}


def test_who_lags_behind_is_stopped_early(tmp_path: Path) -> None:
    early = {"type": "hyperband", "min_iter": 2, "eta": 2, "strict": True}
    changes = {
        "early_terminate": early,
        "parameters": {
            "seed_everything": {"values": [0, 4]},
            "model.strategy": {"values": ["LoRA", "BitFit"]},
        },
    }
    settings, ledger = make_settings(tmp_path, [], [], **{**changes, "run_cap": 4})
    ledger.add_due(ledger.records())
    # Not to wait for the one that goes on for a minute.
    skipped = ledger.records()[2]
    ledger.claim(skipped)
    ledger.done(skipped, [1.0])
    records = work(settings, ledger)
    assert [record.state for record in records] == ["done", "done", "done", "stopped"]
    assert len(records[3].history) in (2, 3)
    assert records[3].values == records[3].history[-1:]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_asked_to_stop_it_has_its_run_stop_and_others_go_on(tmp_path: Path) -> None:
    settings, ledger = make_settings(tmp_path, [4], LORA, run_cap=2)
    worker, answers = Worker(settings, ledger), []
    thread = threading.Thread(target=lambda: answers.append(worker.work()))
    thread.start()
    points = tmp_path / "000-x0" / "frontier.jsonl"
    until(points.exists)
    worker.ask_to_stop()
    thread.join(60)
    assert answers == [130]
    assert [record.state for record in ledger.records()] == ["due", "waiting"]
    assert ledger.records()[0].marks["outcome"] == "interrupted"
    free = RunLock.acquire(points.parent)
    assert free is not None
    free.release()


def test_asked_again_by_a_person_it_does_not_wait_for_its_run(tmp_path: Path) -> None:
    settings, ledger = make_settings(tmp_path, [6], LORA, run_cap=1)
    worker, answers = Worker(settings, ledger), []
    thread = threading.Thread(target=lambda: answers.append(worker.work()))
    thread.start()
    until((tmp_path / "000-x0" / "frontier.jsonl").exists)
    for _ in range(3):  # as a scheduler does
        worker.ask_to_stop(signal.SIGTERM)
    until(lambda: "saving" in (tmp_path / "000-x0" / "log.txt").read_text())
    thread.join(0.5)
    assert thread.is_alive()
    worker.ask_to_stop(signal.SIGINT)
    thread.join(60)
    assert answers == [130]
    assert ledger.records()[0].marks["outcome"] == "interrupted"


def test_the_dead_are_buried_and_the_living_are_not(tmp_path: Path) -> None:
    settings, ledger = make_settings(tmp_path, [0], LORA, run_cap=2)
    ledger.add_due(ledger.records())
    dead, alive = ledger.records()
    locks = {}
    for record, name in ((dead, "000-x0"), (alive, "001-x1")):
        ledger.claim(record)
        locks[name] = RunLock.acquire(tmp_path / name)
        locks[name].sign(f"{os.uname().nodename} {record.trial_id}")  # type: ignore[union-attr]
    locks["000-x0"].release()  # type: ignore[union-attr]
    worker, answers = Worker(settings, make_ledger(tmp_path, ledger.sweep)), []
    thread = threading.Thread(target=lambda: answers.append(worker.work()))
    thread.start()
    until(lambda: ledger.records()[0].state == "done")
    assert ledger.records()[1].state == "running"
    ledger.done(alive, [0.5])
    thread.join(60)
    assert answers == [0]
    assert [record.attempt for record in ledger.records()] == [1, 0]
    locks["001-x1"].release()  # type: ignore[union-attr]


def test_a_silent_worker_elsewhere_is_given_up(tmp_path: Path) -> None:
    settings, ledger = make_settings(tmp_path, [0], LORA, run_cap=2)
    ledger.add_due(ledger.records())
    ledger.claim(ledger.records()[0])  # there is no lock of it here
    quick = WorkerSettings(**{**vars(settings), "grace": 0.5})
    assert [record.attempt for record in work(quick, ledger)] == [1, 0]


def test_settings_travel_as_a_word(tmp_path: Path) -> None:
    settings, _ = make_settings(tmp_path, [0], LORA)
    assert WorkerSettings.from_json(settings.to_json()) == settings


def test_a_worker_process(tmp_path: Path) -> None:
    settings, ledger = make_settings(tmp_path, [0], LORA, run_cap=1)
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert main([settings.to_json()]) == 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert [record.state for record in ledger.records()] == ["done"]
    elsewhere = WorkerSettings(**{**vars(settings), "storage": str(tmp_path / "other.journal")})
    assert main([elsewhere.to_json()]) == 1
