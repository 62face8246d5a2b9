"""The whole command, killed at any moment and continued, gives the run that was never killed."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robust_tuning.frontier.history import to_lines
from tests.loggers.test_wandb import history, logged
from tests.mortal import ANY_TIME, PLACES, Moment, run
from tests.test_resume import require_same

pytestmark = pytest.mark.slow

KILLS = 20
# Noise at every step, an optimiser with a memory, gradients that accumulate, and points at the
# steps 0, 3, 6, 11 and 12. A checkpoint follows each step.
WORDS = [
    *("fit", "--config", "configs/quickstart.yaml", "--trainer.accelerator", "cpu"),
    *("--model.backbone.pretrained", "false", "--model.strategy.dropout", "0.2"),
    *("--model.backbone.kwargs", "{depth: 1, drop_path_rate: 0.3}"),
    *("--data.train_limit", "96", "--data.batch_size", "8", "--trainer.max_epochs", "2"),
    *("--trainer.accumulate_grad_batches", "2", "--trainer.gradient_clip_val", "0.5"),
    *("--trainer.precision", "bf16-mixed", "--trainer.log_every_n_steps", "1"),
    *("--trainer.enable_progress_bar", "false", "--checkpoint.every_n_train_steps", "1"),
    *("--adversarial.n", "16", "--adversarial.attack.steps", "4", "--adversarial.batch_size", "8"),
    *("--adversarial.eps", "[2/255, 8/255]", "--adversarial.examples", "1"),
    *("--adversarial.schedule.steps", "[3,11]", "--adversarial.schedule.preset", "epoch"),
]
# How often a place is visited by two thirds of the run, at least.
VISITS = {
    "a step forth": 16,
    "a step of the optimiser": 8,
    "a row of the curves": 8,
    "validation": 6,
    "half a checkpoint": 8,
    "a checkpoint not yet written": 8,
    "a checkpoint just written": 8,
    "a step of an attack": 12,
}

UNLOGGED = ("a checkpoint just written", ANY_TIME)


def moments(seed: int) -> list[Moment]:
    """At least one in every place, a few at any time, at random visits and in random order."""
    rng = np.random.default_rng(seed)
    places = [*PLACES, "half a checkpoint", "a step of an attack", "an evaluation just done"]
    places += [ANY_TIME] * (KILLS - len(places))
    found = []
    for place in places:
        visit = rng.integers(900, 2500) if place == ANY_TIME else rng.integers(VISITS.get(place, 2))
        found.append(Moment(place, int(visit) + 1))
    return [found[place] for place in rng.permutation(len(found))]


def start(folder: Path, *words: str, moment: Moment | None = None, wandb: str = "disabled") -> bool:
    command = [*WORDS, "--run", str(folder), *words]
    return run(command, folder.with_suffix(".log"), moment, WANDB_MODE=wandb)


def test_killed_at_twenty_moments_it_gives_the_run_that_was_never_killed(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert not start(whole)
    left = moments(seed=0)
    while left:
        folder = tmp_path / f"killed-{len(left)}-left"
        kills: list[str] = []
        # A moment that a run does not come to any more is left to the next run.
        while start(folder, "--ckpt_path", "last", moment=left[0] if left else None):
            kills.append(left.pop(0).place)
        if left and not kills:
            assert left.pop(0).place == ANY_TIME, "no run comes to this place"
        require_same_runs(whole, folder)
        # A step's row is written when its checkpoint is: a kill in between loses it.
        lost = curves(whole) - curves(folder)
        assert curves(folder) <= curves(whole)
        assert len({step for step, *_ in lost}) <= sum(place in UNLOGGED for place in kills)


def test_a_killed_run_is_one_run_at_wandb(tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    # Before there is a checkpoint, and in mid-epoch.
    for moment in (Moment("a step forth", 1), Moment("a step of the optimiser", 5), None):
        killed = start(folder, "--ckpt_path", "last", moment=moment, wandb="offline")
        assert killed == (moment is not None)
    files = sorted((folder / "wandb").glob("offline-run-*/*.wandb"))
    assert len(files) == 3
    assert len({file.stem for file in files}) == 1, "three runs"
    found = [row for file in files for row in logged(history(file))]
    points = [row for row in found if "frontier/point" in row]
    assert to_lines(points) == (folder / "frontier.jsonl").read_text().splitlines()
    losses = {
        (str(row["trainer/global_step"]), "train/loss", str(float(row["train/loss"])))
        for row in found
        if "train/loss" in row
    }
    # What was handed over just before a kill may be lost there; the file has it.
    assert losses <= {row for row in curves(folder) if row[1] == "train/loss"}
    assert {"10", "11"} <= {step for step, *_ in losses}


def require_same_runs(whole: Path, other: Path) -> None:
    require_same(whole, other)
    names = [{path.name for path in folder.rglob("*")} for folder in (whole, other)]
    assert names[0] == names[1]
    for name in ("last.ckpt", "best.ckpt"):
        expected, got = (checkpoint(folder, name) for folder in (whole, other))
        assert expected.keys() == got.keys()
        other_values = {key for key in expected if not same(expected[key], got[key])}
        # What a `ModelCheckpoint` saw last; it restores that of no checkpoint, and decides nothing.
        assert {key for key in other_values if not key.endswith("/current_score")} == set()


def checkpoint(folder: Path, name: str) -> dict[str, Any]:
    """What a checkpoint holds, by path, without the folder's name."""
    content = torch.load(folder / "checkpoints" / name, weights_only=True)
    found: dict[str, Any] = {}

    def flatten(place: str, value: Any) -> None:
        if isinstance(value, dict | list | tuple):
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            for key, inner in pairs:
                flatten(f"{place}/{key}".replace(str(folder), "FOLDER"), inner)
        else:
            place = place.replace(str(folder), "FOLDER")
            found[place] = value.replace(str(folder), "F") if isinstance(value, str) else value

    flatten("", content)
    return found


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    return type(one) is type(other) and bool(one == other)


def curves(folder: Path) -> set[tuple[str, ...]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return set(map(tuple, csv.reader(file)))
