"""The whole command, killed at any moment and continued, gives the run that was never killed."""

import csv
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.mortal import ANY_TIME, PLACES, Moment, run
from tests.test_resume import require_same

pytestmark = pytest.mark.slow

KILLS = 20
# Noise at every step, an optimiser with a memory, gradients that accumulate, and points at the steps
# 0, 3, 6, 11 and 12. A checkpoint follows each step.
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


def start(folder: Path, *words: str, moment: Moment | None = None) -> bool:
    command = [*WORDS, "--run", str(folder), *words]
    return run(command, folder.with_suffix(".log"), moment, WANDB_MODE="disabled")


def test_killed_at_twenty_moments_it_gives_the_run_that_was_never_killed(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert not start(whole)
    left = moments(seed=0)
    for number in count():
        folder = tmp_path / f"killed-{number}"
        # A moment that a run does not come to any more is left to the next run.
        while start(folder, "--ckpt_path", "last", moment=left[0] if left else None):
            left.pop(0)
        require_same_runs(whole, folder)
        if not left:
            break


def require_same_runs(whole: Path, other: Path) -> None:
    require_same(whole, other)
    assert curves(other) == curves(whole)
    names = [{path.name for path in folder.rglob("*")} for folder in (whole, other)]
    assert names[0] == names[1]
    for name in ("last.ckpt", "best.ckpt"):
        expected, got = (checkpoint(folder, name) for folder in (whole, other))
        assert expected.keys() == got.keys()
        for key in expected:
            torch.testing.assert_close(got[key], expected[key], rtol=0, atol=0, msg=key)


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


def curves(folder: Path) -> list[list[str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return sorted(csv.reader(file))
