import io
from datetime import timedelta

from rich.console import Console

from robust_tuning.sweeps.records import Record
from robust_tuning.sweeps.table import ProgressTable, time_left
from tests.sweeps.material import make_sweep

DONE = Record(0, "done", 0, 0, values=(0.5,), duration=timedelta(minutes=2))
RUNNING = Record(1, "running", 0, 1, history=(0.25, 0.75))
FAILED = Record(2, "failed", 0, 2, marks={"log": "step 1\nloss is nan\nexit status 1"})
WAITING = Record(3, "waiting", 0, 3)


def shown(*states: list[Record], terminal: bool = False, **changes: object) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=120, color_system=None)
    with ProgressTable(make_sweep(**changes), console) as table:
        for records in states:
            table.show(records)
    return out.getvalue()


def test_a_file_gets_a_line_for_each_run_that_ends() -> None:
    before = [Record(0, "running", 0, 0), RUNNING, Record(2, "due"), WAITING]
    text = shown(before, before, [DONE, RUNNING, FAILED, WAITING])
    assert text.splitlines() == [
        "000-LoRA-seed0 done: frontier/area 0.5",
        "  1 running, 1 waiting, 1 done, 1 failed, best frontier/area 0.75 (001-LoRA-seed1), "
        "about 0:03:00 left",
        "002-BitFit-seed0 failed: loss is nan | exit status 1",
        "  1 running, 1 waiting, 1 done, 1 failed, best frontier/area 0.75 (001-LoRA-seed1), "
        "about 0:03:00 left",
    ]


def test_a_terminal_shows_what_runs() -> None:
    text = shown([DONE, RUNNING, FAILED, WAITING], terminal=True)
    assert "1 running, 1 waiting, 1 done, 1 failed" in text
    row = next(line for line in text.splitlines() if line.startswith("001-LoRA-seed1"))
    assert row.split() == ["001-LoRA-seed1", "2", "0.75", "0:00:00"]
    assert "loss is nan" in text


def test_less_may_be_better() -> None:
    small = {"name": "train/loss", "goal": "minimize"}
    text = shown([], [DONE, RUNNING], metric=small)
    assert "best train/loss 0.5 (000-LoRA-seed0)" in text


def test_two_objectives() -> None:
    records = [
        Record(0, "done", 0, 0, {"lr": 0.00012345}, values=(0.9, 0.1)),
        Record(1, "done", 0, 1, {"lr": 0.5}, values=(0.6, 0.5)),
    ]
    text = shown([], records, method="pareto", run_cap=2)
    assert "000 0.000123 done: frontier/area 0.9 / 0.1" in text
    assert "best frontier/area 0.6 / 0.5 (001 0.5)" in text


def test_time_left() -> None:
    assert time_left([DONE, RUNNING, WAITING]) == timedelta(minutes=3)
    assert time_left([DONE]) is None
    assert time_left([RUNNING, WAITING]) is None
