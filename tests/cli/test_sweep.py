import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no annotations

from robust_tuning.cli import sweep
from robust_tuning.frontier import find_runs
from robust_tuning.sweeps.file import read_sweep
from tests.cli.conftest import Command
from tests.sweeps.material import make_ledger

FIT = ["robust-tuning", "fit", "--config", "configs/quickstart.yaml", "${args}"]


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that train nothing."""
    monkeypatch.setattr(sweep, "PROGRAM", (sys.executable, "-m", "tests.sweeps.stand_in"))
    path = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    monkeypatch.setenv("PYTHONPATH", path)


def write(seeds: list[int], **changes: Any) -> None:
    parameters = {
        "model.strategy": {"values": ["LoRA", "BitFit"]},
        "seed_everything": {"values": seeds},
    }
    content = {"method": "grid", "parameters": parameters, "command": FIT, **changes}
    Path("mine.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def test_a_sweep_ends_in_a_folder_of_runs(command: Command) -> None:
    write([0])
    answer = command("sweep", "mine.yaml", "--workers", "2")
    assert answer.status == 0, answer.err
    assert "2 done, best frontier/area" in answer.out
    assert "robust-tuning frontier runs/sweeps/mine" in answer.out
    names = [run.folder.name for run in find_runs([Path("runs/sweeps/mine")])]
    assert names == ["000-LoRA", "001-BitFit"]
    assert command("frontier", "runs/sweeps/mine", "--no-report", "--replicates", "0").status == 0
    # It is there: what it was is said, and nothing is run again.
    answer = command("sweep", "mine.yaml")
    assert answer.status == 1
    assert "holds this sweep already; continue or join it with --resume" in answer.err
    assert command("sweep", "mine.yaml", "--resume").status == 0
    assert [run.folder.name for run in find_runs([Path("runs/sweeps/mine")])] == names


def test_what_fails_is_reported_and_can_be_tried_again(command: Command) -> None:
    write([1])
    answer = command("sweep", "mine.yaml", "--workers", "2", "--storage", "s.journal")
    assert answer.status == 1
    assert "run 001 failed:\nbegan BitFit" in answer.err
    assert "loss is nan\nexit status 1" in answer.err
    assert command("sweep", "mine.yaml", "--storage", "s.journal").status == 1
    # Two points were written before it failed; the next attempt goes on behind them, and ends.
    assert command("sweep", "mine.yaml", "--storage", "s.journal", "--retry_failed").status == 0
    assert Path("runs/sweeps/mine/001-BitFit/log.txt").read_text().count("began") == 2


def test_a_dry_run_lists_the_commands(command: Command) -> None:
    write([0, 1], name="other")
    answer = command("sweep", "mine.yaml", "--dry_run", "--folder", "here")
    assert answer.status == 0
    lines = answer.out.splitlines()
    assert len(lines) == 5
    assert lines[3] == (
        "robust-tuning fit --config configs/quickstart.yaml --model.strategy=BitFit "
        "--seed_everything=1 --run here/003-BitFit-seed1 --ckpt_path last"
    )
    assert lines[4] == "other: grid, 4 runs, nothing begun"
    assert [path.name for path in Path().iterdir()] == ["mine.yaml"]
    answer = command("sweep", "sweeps/pareto.yaml", "--dry_run", "--count", "3")
    assert "model.lr: 0.0001, 0.03\n" in answer.out
    assert "pareto: pareto, 3 runs" in answer.out


def test_nothing_begins_if_a_key_is_unknown(command: Command) -> None:
    write([0], parameters={"model.stratgy": {"values": ["LoRA", "BitFit"]}})
    answer = command("sweep", "mine.yaml")
    assert answer.status == 2
    assert "unknown key 'model.stratgy'; similar: model.strategy" in answer.err
    write([0], parameters={"model.strategy": {"values": ["LoRA", "BtiFit"]}})
    answer = command("sweep", "mine.yaml")
    assert answer.status == 2
    assert "did you mean BitFit" in answer.err
    assert not list(Path().glob("runs/sweeps/mine/0*"))


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nope.yaml"], 2, "sweeps/quickstart.yaml"),
        (["mine.yaml", "--workers", "0"], 2, "got '0'"),
        (["mine.yaml", "--nonsense"], 2, "unrecognized"),
        (["mine.yaml", "--resume"], 1, "another sweep of the name 'mine'"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str], status: int, said: str, command: Command
) -> None:
    write([0])
    make_ledger(Path("runs/sweeps/mine"), read_sweep(Path("mine.yaml")))
    write([0, 1])
    answer = command("sweep", *words)
    assert (answer.status, said in answer.err) == (status, True), answer.err


def test_each_worker_has_the_gpus_that_its_run_needs(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four that are there for two workers: the runs say which they see."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,4,5")
    write([0])
    answer = command("sweep", "mine.yaml", "--gpus_per_run", "2")
    assert answer.status == 0, answer.err
    logs = sorted(Path("runs/sweeps/mine").glob("*/log.txt"))
    seen = {line.split()[2] for log in logs for line in log.read_text().split("\n") if line}
    assert seen == {"0,1", "4,5"}
    answer = command("sweep", "mine.yaml", "--gpus_per_run", "5", "--resume")
    assert answer.status == 2
    assert "--gpus_per_run 5: this machine has 4 (0, 1, 4, 5)" in answer.err
