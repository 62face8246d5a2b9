"""Two processes find what one finds, and write it once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def run(folder: Path, processes: int) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "robust_tuning", "fit", "--config", "configs/quickstart.yaml"]
    command += ["--adversarial.n", "21", "--adversarial.schedule.steps", "[2]"]
    # All 75 corrupted views, in batches that the processes share.
    command += ["--config", "configs/shifts/corruptions.yaml", "--data.eval_batch_size", "5"]
    command += ["--ood.schedule", "{preset: null, end: false}", "--ood.n", "11"]
    command += ["--data.train_limit", "65", "--data.batch_size", str(16 // processes)]
    command += ["--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false"]
    command += ["--trainer.accelerator", "cpu", "--trainer.devices", str(processes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    [made] = (folder / "runs").iterdir()
    return [json.loads(line) for line in (made / "frontier.jsonl").read_text().splitlines()]


def test_two_processes_count_what_one_counts(tmp_path: Path) -> None:
    points = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        points.append(run(folder, processes))
    # Before the first step both hold the same model: every count is equal, at an odd size.
    first = [(p[0]["step"], p[0]["accuracy"], p[0]["robust_accuracy"]) for p in points]
    assert first[0] == first[1]
    assert first[0][1]["n"] == 21
    views = [(p[0]["ood_accuracy"], p[0]["calibration"]) for p in points]
    assert views[0] == views[1]
    assert len(views[0][0]) == 75
    assert {estimate["n"] for estimate in views[0][0].values()} == {11}
    # The batches are split, so the steps are as many, give or take the last one; none is doubled.
    assert [p["step"] for p in points[0]] == [0, 2, 5]
    assert [p["step"] for p in points[1]] == [0, 2, 5]
