"""Several processes find what one finds, and write it once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from robust_tuning.cli.main import main
from robust_tuning.frontier import ExampleOutcomes, read_points
from robust_tuning.frontier.outcomes import outcomes_path
from robust_tuning.processes import ProcessError, Processes, Total
from tests.gloo import as_torchrun, free_port, in_processes
from tests.runs import make_data, make_evaluation, make_trainer, make_tuner

# --- what they exchange --------------------------------------------------------------------------


def exchange(processes: Processes) -> list[Any]:
    found: list[Any] = []
    with processes.together():
        found.append(processes.gather(processes.rank * 10))
        processes.add("a counter", 1 + processes.rank)
        processes.gather(None)
        found.append(processes.add("a counter", 0))
        with processes.together():
            found.append(processes.add("a counter", 0))
            processes.gather(None)
        total = Total(processes, "another")
        total.elsewhere(5)
        processes.gather(None)
        total.elsewhere(7 + processes.rank)
        processes.gather(None)
        found.append(total.elsewhere(7 + processes.rank))
    return found


def test_what_is_gathered_and_counted(tmp_path: Path) -> None:
    first, second = in_processes(2, exchange, tmp_path)
    assert first == [[0, 10], 3, 0, 8]
    assert second == [[0, 10], 3, 0, 7]


def test_one_alone_needs_nobody() -> None:
    alone = Processes.current()
    assert (alone.rank, alone.size) == (0, 1)
    with alone.together():
        assert alone.gather("mine") == ["mine"]
        assert not alone.check()
    with pytest.raises(RuntimeError, match="between several processes"):
        alone.add("a counter", 1)


def quarrel(processes: Processes) -> list[str]:
    """Errors before, between and after what is gathered, inside a second context and out of it."""
    said = []
    for place in range(4):
        try:
            with processes.together():
                fail_at(processes, place, 0)
                with processes.together():
                    processes.gather(None)
                    fail_at(processes, place, 1)
                fail_at(processes, place, 2)
        except (ValueError, ProcessError) as error:
            said.append(str(error))
    return said


def fail_at(processes: Processes, place: int, here: int) -> None:
    if (place, processes.rank) == (here, 1):
        message = f"at {here}"
        raise ValueError(message)


def test_wherever_one_fails_all_do(tmp_path: Path) -> None:
    first, second = in_processes(2, quarrel, tmp_path)
    assert second == ["at 0", "at 1", "at 2"]
    assert first == [f"process 1 of 2 failed: ValueError: {words}" for words in second]


def validate(processes: Processes, folder: Path, port: int) -> list[float]:
    """Evaluate models that have been normalised with other statistics since the last step."""
    as_torchrun(processes.rank, processes.size, port)
    tuner = make_tuner()
    for buffer in tuner.backbone.buffers():
        if buffer.is_floating_point():
            buffer *= 1 - 2 * processes.rank
    evaluation = make_evaluation(n=40, eps=["4/255"])
    trainer = make_trainer(folder, evaluation, num_nodes=processes.size)
    trainer.validate(tuner, datamodule=make_data(), verbose=False)
    return [float(value) for value in trainer.callback_metrics.values()]


def test_all_evaluate_the_model_of_the_first(tmp_path: Path) -> None:
    found = []
    for size in (1, 2):
        (folder := tmp_path / str(size)).mkdir()
        every = in_processes(size, validate, folder, folder, free_port(), meet=False)
        assert all(metrics == every[0] for metrics in every)  # what is monitored, in each of them
        [point] = read_points(folder)
        outcomes = ExampleOutcomes.read(outcomes_path(folder, point.step, point.split))
        bits = [outcomes.clean_correct.tolist(), *(r.tolist() for r in outcomes.robust.values())]
        found.append((point.accuracy, point.robust_accuracy, point.diagnostics, bits))
    assert found[0] == found[1]
    assert found[0][0].n == 40


# --- whole runs ----------------------------------------------------------------------------------

WORDS = [
    *("fit", "--config", "configs/quickstart.yaml", "--trainer.accelerator", "cpu"),
    *("--adversarial.n", "101", "--adversarial.batch_size", "8"),
    *("--adversarial.schedule", "{preset: null, steps: [2], end: true}"),
    *("--adversarial.eps", "[1/255, 8/255]"),
    *("--ood.shifts+", "Corruptions", "--ood.shifts.corruptions", "[fog, contrast]"),
    *("--ood.shifts.severities", "[3]", "--ood.attack", "FGSM", "--ood.eps", "[4/255]"),
    *("--ood.n", "101", "--ood.schedule", "{preset: null, end: false}"),
    *("--data.eval_batch_size", "16", "--data.train_limit", "65"),
    *("--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false"),
    *("--best.monitor", "frontier/area", "--best.save_on_train_epoch_end", "true"),
]
MEASURED = ("accuracy", "robust_accuracy", "ood_accuracy", "calibration", "diagnostics")


def points_in(folder: Path) -> list[dict[str, Any]]:
    made = max((folder / "runs").iterdir())
    return [json.loads(line) for line in (made / "frontier.jsonl").read_text().splitlines()]


def require_same_start(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    """Before the first step all hold the same model: every count is equal, at an odd size."""
    assert all(one[0][key] == other[0][key] for key in MEASURED)
    assert {e["n"] for e in (one[0]["accuracy"], *one[0]["ood_accuracy"].values())} == {101}
    assert one[0]["cost"]["backward"] == other[0]["cost"]["backward"]
    assert [point["step"] for point in one] == [point["step"] for point in other]


def fit(processes: Processes, folder: Path, port: int) -> int:
    os.chdir(folder)
    nodes = processes.size
    as_torchrun(processes.rank, nodes, port)
    words = ["--data.batch_size", str(18 // nodes), "--trainer.num_nodes", str(nodes)]
    return main([*WORDS, *words, "--trainer.devices", "1"])


@pytest.mark.slow
def test_nodes_of_a_job_count_what_one_process_counts(tmp_path: Path) -> None:
    points = []
    for size in (1, 2, 3):
        folder = tmp_path / str(size)
        folder.mkdir()
        if size > 1:  # a second run of the name: the others do not know which folder the first took
            copytree(tmp_path / "1" / "runs", folder / "runs")
        assert in_processes(size, fit, folder, folder, free_port(), meet=False) == [0] * size
        points.append(points_in(folder))
        assert len(list((folder / "runs").iterdir())) == min(size, 2)
    assert [point["step"] for point in points[0]] == [0, 2, 4]
    for other in points[1:]:
        require_same_start(points[0], other)


@pytest.mark.slow
def test_devices_in_a_sweep_agent_make_one_run(tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    environment |= {"WANDB_SWEEP_ID": "a1b2c3d4", "WANDB_RUN_ID": "chosen"}
    command = [sys.executable, "-m", "robust_tuning", *WORDS, "--trainer.devices", "2"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(points_in(tmp_path)) > 1
    assert len(list(tmp_path.rglob("*.wandb"))) == 1
    assert [path.name for path in tmp_path.rglob("run-chosen.wandb")]
    assert done.stderr.count("parameters (") == 1  # each says what it trains, one is heard
