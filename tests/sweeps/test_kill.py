"""A whole sweep under fire: workers, runs and all at once are killed, and every run ends once."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from robust_tuning.frontier import find_runs
from robust_tuning.sweeps.records import read_records
from robust_tuning.sweeps.storage import open_storage
from tests.sweeps import preloaded

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes below /proc"),
]

STRATEGIES = ["FullFineTuning", "LinearProbe", "BitFit", "LoRA", "IA3", "Adapter", "Compacter"]
STEPS = [0, 1, 2, 4, 6]
SWEEP = {
    "name": "fire",
    "method": "grid",
    "parameters": {
        "model.strategy": {"values": STRATEGIES},
        "seed_everything": {"values": [0, 1, 2, 3]},
    },
    "command": [
        *("robust-tuning", "fit", "--config", "configs/quickstart.yaml"),
        # The quickstart in small: one block, six steps, five points on four images.
        "--model.backbone={name: glyph_vit_patch8_32, pretrained: false, kwargs: {depth: 1}}",
        *("--trainer.max_steps", "6", "--trainer.accelerator", "cpu"),
        *("--trainer.limit_val_batches", "1", "--trainer.enable_progress_bar", "false"),
        *("--data.train_limit", "32", "--data.batch_size", "16", "--adversarial.n", "4"),
        *("--adversarial.eps", "[8/255]", "--adversarial.attack.steps", "2"),
        *("--adversarial.schedule.steps", "[1,2,4]", "--adversarial.examples", "0"),
        *("--checkpoint.every_n_train_steps", "1", "${args}"),
    ],
}
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled", "MPLBACKEND": "agg"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Path]:
    """Where runs are started without loading torch each time."""
    place = tmp_path / "server"
    process = subprocess.Popen(
        [sys.executable, preloaded.__file__, "serve", str(place)], env=ENVIRONMENT
    )
    until = time.monotonic() + 120
    while not place.exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    yield place
    process.kill()
    process.wait()


def start(folder: Path, server: Path) -> subprocess.Popen[bytes]:
    program = (
        "import sys; from robust_tuning.cli import main, sweep;"
        f"sweep.PROGRAM = (sys.executable, '-S', {preloaded.__file__!r}, {str(server)!r});"
        "sys.exit(main.main(['sweep', 'fire.yaml', *'--workers 2 --resume --retries 20'.split()]))"
    )
    with (folder / "out.txt").open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=out,
            stderr=subprocess.STDOUT,
        )


def children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(child) for child in found]


def strike(moment: random.Random, sweep: subprocess.Popen[bytes], folder: Path) -> str:
    """Kill something, with the signal that nothing can catch."""
    victims = ["worker", "worker", "run", "all"]
    workers = children(sweep.pid)
    if moment.choice(victims) == "all":
        for process in (sweep.pid, *workers):
            os.kill(process, signal.SIGKILL)
        sweep.wait()
        return "all"
    if not workers:
        return "nobody"
    worker = moment.choice(workers)
    runs = children(worker)
    if runs and moment.random() < 0.3:
        os.kill(runs[0], signal.SIGKILL)
        return "run"
    os.kill(worker, signal.SIGKILL)
    return "worker"


def test_every_cell_ends_once_whoever_is_killed(tmp_path: Path, server: Path) -> None:
    (tmp_path / "fire.yaml").write_text(json.dumps(SWEEP))
    runs = tmp_path / "runs/sweeps/fire"
    moment = random.Random(20)
    sweep, struck, until = start(tmp_path, server), Counter[str](), time.monotonic() + 400
    while not list(runs.glob("*/log.txt")):
        assert sweep.poll() is None, (tmp_path / "out.txt").read_text()
        time.sleep(0.1)
    try:
        while sweep.poll() is None:
            assert time.monotonic() < until, (tmp_path / "out.txt").read_text()
            if struck.total() < 9:
                time.sleep(moment.uniform(0.5, 6.0))
                if sweep.poll() is not None:
                    break
                kind = strike(moment, sweep, tmp_path)
                struck[kind] += 1
                if kind == "all":
                    sweep = start(tmp_path, server)
            else:
                time.sleep(0.2)
    finally:
        if sweep.poll() is None:
            sweep.terminate()
            sweep.wait(60)
    assert sweep.returncode == 0, (tmp_path / "out.txt").read_text()
    assert struck["worker"] >= 2
    assert struck["all"] >= 1
    require_every_cell_once(runs)


def require_every_cell_once(folder: Path) -> None:
    found = find_runs([folder])
    assert len(found) == 28
    cells = Counter((run.points[0].strategy, run.points[0].seed) for run in found)
    assert set(cells.values()) == {1}
    assert len(cells) == 28
    for run in found:
        assert [point.step for point in run.points] == STEPS, run.folder
    trials = open_storage(str(folder / "sweep.journal")).get_all_trials(0)
    states = Counter((trial.user_attrs["run"], trial.state.name) for trial in trials)
    assert [states[index, "COMPLETE"] for index in range(28)] == [1] * 28
    assert {record.state for record in read_records(trials, 28, retries=20)} == {"done"}
    assert "RUNNING" not in {state for _, state in states}
    # What was lost has been taken up again, and where there was a checkpoint, from there.
    retried = {trial.user_attrs["run"] for trial in trials if trial.user_attrs["attempt"]}
    again = [folder_of(folder, index) for index in retried]
    assert again
    logs = [(run / "log.txt").read_text() for run in again]
    continued = [log for log in logs if log.count("step      0 ") == 1]
    assert continued


def folder_of(folder: Path, index: int) -> Path:
    [found] = folder.glob(f"{index:03d}-*")
    return found
