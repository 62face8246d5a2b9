"""The whole command, killed with the one signal that nothing can catch, and continued."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from robust_tuning.frontier import read_points
from tests.test_resume import require_same

pytestmark = pytest.mark.slow

COMMAND = (
    *(sys.executable, "-m", "robust_tuning", "fit", "--config", "configs/quickstart.yaml"),
    *("--trainer.max_epochs", "2", "--trainer.accelerator", "cpu", "--data.train_limit", "256"),
    *("--data.batch_size", "32", "--trainer.log_every_n_steps", "1"),
    *("--adversarial.n", "60", "--adversarial.schedule.steps", "[3,11]"),
    *("--adversarial.schedule.preset", "epoch"),
    *("--checkpoint.every_n_train_steps", "2"),
)


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "--run", str(folder), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder.parent,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
    )


def finish(process: subprocess.Popen[str]) -> str:
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    return printed


def kill_after(process: subprocess.Popen[str], curves: Path, row: str, delay: float) -> None:
    """Kill a moment after a row is in the file of the curves."""
    until = time.monotonic() + 240
    while not (curves.exists() and row in curves.read_text()):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.002)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("killed") / "whole"
    printed = finish(start(folder))
    assert "area" in printed
    return folder


# Curves count the steps from 0. The sixth step is within an epoch; the eleventh is evaluated.
@pytest.mark.parametrize(
    ("row", "delay", "before"),
    [("\n5,train/loss,", 0.0, [0, 3]), ("\n9,train/loss,", 0.3, [0, 3, 8])],
    ids=["in mid-epoch", "within an evaluation"],
)
def test_a_killed_run_continues_as_if_nothing_had_been(
    row: str, delay: float, before: list[int], whole: Path
) -> None:
    folder = whole.parent / f"cut-{len(before)}"
    kill_after(start(folder), folder / "metrics.csv", row, delay)
    assert [point.step for point in read_points(folder)] == before
    finish(start(folder, "--ckpt_path", "last"))
    assert [point.step for point in read_points(folder)] == [0, 3, 8, 11, 16]
    require_same(whole, folder)
    require_same_checkpoints(whole, folder)
    assert curves(folder) == curves(whole)


def require_same_checkpoints(whole: Path, other: Path) -> None:
    for name in ("last.ckpt", "best.ckpt"):
        expected, got = (
            torch.load(folder / "checkpoints" / name, weights_only=True)
            for folder in (whole, other)
        )
        assert expected["global_step"] == got["global_step"]
        torch.testing.assert_close(got["state_dict"], expected["state_dict"], rtol=0, atol=0)
        torch.testing.assert_close(
            got["optimizer_states"], expected["optimizer_states"], rtol=0, atol=0
        )


def curves(folder: Path) -> list[list[str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return sorted(csv.reader(file))
