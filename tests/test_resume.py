"""Continuing after an interruption gives the run that was never interrupted, to the bit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from numpy.typing import NDArray

from robust_tuning.attacks import PGD
from robust_tuning.backbones import BackboneConfig
from robust_tuning.callbacks import AdversarialEvaluation, Schedule
from robust_tuning.callbacks.checkpoint import LastCheckpoint
from robust_tuning.callbacks.measurement import Measurement
from robust_tuning.frontier import read_points
from robust_tuning.lr_schedules import CosineDecay
from robust_tuning.strategies import FullFineTuning, LoRA, Strategy
from robust_tuning.tuner import RobustTuner
from tests.runs import make_data, make_trainer, make_tuner

NOISY = BackboneConfig(
    "glyph_vit_patch8_32", pretrained=False, kwargs={"depth": 2, "drop_path_rate": 0.3}
)


class CutError(Exception):
    """The interruption, of no kind that anything handles."""


class Cut(Callback):
    """Interrupts in a hook, once so many optimiser steps are done."""

    def __init__(self, hook: str, step: int) -> None:
        def interrupt(trainer: Any, *_: Any) -> None:
            if trainer.global_step == step:
                raise CutError

        setattr(self, hook, interrupt)


class Validations(Callback):
    """Notes after which steps a validation pass ended, as what chooses by it would see."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "validations.txt"

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if not trainer.sanity_checking:
            with self.file.open("a") as file:
                file.write(f"{trainer.global_step}\n")


class CutEvaluation(AdversarialEvaluation):
    """An evaluation that is interrupted when all but its recording is done."""

    cut_at: int | None = None

    def measure(self, trainer: Any, *arguments: Any) -> Measurement:
        measurement = super().measure(trainer, *arguments)
        if trainer.global_step == self.cut_at:
            raise CutError
        return measurement


def noisy_tuner(strategy: Strategy | None = None) -> RobustTuner:
    """Random numbers at every step, a schedule, an optimiser with a memory."""
    return make_tuner(
        strategy or LoRA(dropout=0.2),
        backbone=NOISY,
        lr_scheduler=lambda optimizer: CosineDecay(optimizer, warmup_steps=2),
    )


def run(
    folder: Path,
    cut: tuple[str, int] | None = None,
    *,
    resume: bool = False,
    every: int = 1,
    tuner: Callable[[], RobustTuner] = noisy_tuner,
    data: dict[str, Any] | None = None,
    warm_start: bool = False,
    **settings: Any,
) -> RobustTuner:
    """Two epochs of three batches, evaluated at 0, 2, 3, 5 and 6, saved at every step."""
    evaluation = CutEvaluation(
        attack=PGD(steps=5),
        eps=["2/255", "8/255"],
        n=20,
        examples=0,
        schedule=Schedule("epoch", steps=(2, 5)),
        warm_start=warm_start,
    )
    callbacks: list[Callback] = [evaluation, Validations(folder)]
    if cut and cut[0] == "measure":
        evaluation.cut_at = cut[1]
    elif cut:
        callbacks.insert(0, Cut(*cut))
    checkpoints = LastCheckpoint(str(folder / "checkpoints"), every_n_train_steps=every)
    trainer = make_trainer(
        folder,
        *callbacks,
        checkpoints,
        **{"max_epochs": 2, "enable_checkpointing": True, **settings},
    )
    tuned = tuner()
    checkpoint = folder / "checkpoints" / "last.ckpt" if resume else None
    trainer.fit(tuned, datamodule=make_data(**(data or {})), ckpt_path=checkpoint)
    return tuned


def interrupted_run(folder: Path, cut: tuple[str, int], **settings: Any) -> RobustTuner:
    with pytest.raises(CutError):
        run(folder, cut, **settings)
    return run(folder, resume=True, **settings)


def rows(folder: Path) -> list[dict[str, Any]]:
    """The points, without what tells two equal runs apart."""
    read = [json.loads(line) for line in (folder / "frontier.jsonl").read_text().splitlines()]
    for row in read:
        for key in ("run", "time", "config_hash", "cost"):
            row.pop(key)
    return read


def passes(folder: Path) -> NDArray[np.int64]:
    """What each point has cost, forth and back."""
    costs = [point.cost for point in read_points(folder)]
    return np.array([(cost.forward, cost.backward) for cost in costs])


def validated(file: Path) -> set[str]:
    return set(file.read_text().split())


def require_same(whole: Path, other: Path) -> None:
    """Points, outcomes and stored states are those of the run that was never interrupted."""
    assert rows(other) == rows(whole)
    # An evaluation that is continued goes through its examples once more.
    assert (passes(other) >= passes(whole)).all()
    assert not (other / "journal").exists()
    steps = [(point.step, point.split) for point in read_points(other)]
    assert len(set(steps)) == len(steps)
    if (notes := whole / "validations.txt").exists():
        assert validated(other / notes.name) == validated(notes)
    for kind in ("trajectory", "outcomes"):
        names = [{file.name for file in (folder / kind).iterdir()} for folder in (whole, other)]
        assert names[0] == names[1]
    for file in (whole / "trajectory").iterdir():
        assert file.read_bytes() == (other / "trajectory" / file.name).read_bytes(), file.name
    for file in (whole / "outcomes").iterdir():
        with np.load(file) as expected, np.load(other / "outcomes" / file.name) as got:
            assert set(expected) == set(got)
            assert all((expected[key] == got[key]).all() for key in expected)


def require_same_weights(whole: RobustTuner, other: RobustTuner) -> None:
    expected, got = whole.state_dict(), other.state_dict()
    assert expected.keys() == got.keys()
    assert [key for key in expected if not torch.equal(expected[key], got[key])] == []


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RobustTuner]:
    folder = tmp_path_factory.mktemp("whole")
    return folder, run(folder)


def test_the_uninterrupted_run_is_what_the_others_are_compared_with(
    whole: tuple[Path, RobustTuner], tmp_path: Path
) -> None:
    folder, tuner = whole
    assert [point.step for point in read_points(folder)] == [0, 2, 3, 5, 6]
    require_same_weights(tuner, run(tmp_path))
    require_same(folder, tmp_path)
    assert (passes(folder) == passes(tmp_path)).all()
    # Every step changes the weights, and the noise matters: else equality would prove little.
    states = [file.read_bytes() for file in (folder / "trajectory").iterdir()]
    assert len(set(states)) == 5


CUTS = [
    ("on_train_batch_start", 1),
    ("on_train_batch_end", 2),
    ("on_train_batch_start", 2),
    ("on_train_batch_end", 3),  # the last batch of the first epoch
    ("on_validation_start", 3),
    ("on_validation_end", 3),
    ("on_train_epoch_end", 3),
    ("measure", 3),
    ("on_train_epoch_start", 3),
    ("on_train_batch_start", 3),  # the first batch of the second epoch
    ("on_train_batch_end", 4),
    ("measure", 5),
    ("on_train_batch_end", 6),
    ("on_train_epoch_end", 6),
    ("measure", 6),  # the final evaluation
    ("on_train_end", 6),
    ("on_fit_end", 6),
]


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: f"{cut[0]}-{cut[1]}")
def test_wherever_it_is_cut(
    cut: tuple[str, int], whole: tuple[Path, RobustTuner], tmp_path: Path
) -> None:
    tuner = interrupted_run(tmp_path, cut)
    require_same(whole[0], tmp_path)
    require_same_weights(whole[1], tuner)


@pytest.mark.parametrize("cut", [("on_train_batch_end", 4), ("on_fit_end", 6)])
def test_points_after_the_last_checkpoint_are_measured_again(
    cut: tuple[str, int], whole: tuple[Path, RobustTuner], tmp_path: Path
) -> None:
    tuner = interrupted_run(tmp_path, cut, every=2)
    require_same(whole[0], tmp_path)
    require_same_weights(whole[1], tuner)


def test_two_interruptions(whole: tuple[Path, RobustTuner], tmp_path: Path) -> None:
    for resume, cut in ((False, ("on_train_batch_start", 2)), (True, ("on_train_epoch_end", 3))):
        with pytest.raises(CutError):
            run(tmp_path, cut, resume=resume)
    require_same_weights(whole[1], run(tmp_path, resume=True))
    require_same(whole[0], tmp_path)


VARIANTS: dict[str, dict[str, Any]] = {
    "workers": {"data": {"num_workers": 2}},
    "accumulation": {"accumulate_grad_batches": 2},
    "full": {"tuner": lambda: noisy_tuner(FullFineTuning())},
    "no schedule": {"tuner": lambda: make_tuner(backbone=NOISY)},
    "steps, no schedule": {"tuner": lambda: make_tuner(backbone=NOISY), "max_steps": 5},
    "uneven": {"data": {"train_limit": 75}},
    "limited": {"limit_train_batches": 2},
    "steps": {"max_epochs": -1, "max_steps": 4},
    "clipped": {"gradient_clip_val": 0.1},
    "validation in mid-epoch": {"val_check_interval": 2},
    "warm starts": {"warm_start": True},
}
TWICE = [("on_train_batch_start", 1), ("on_train_batch_start", 3), ("measure", 2)]


@pytest.mark.slow
@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_under_other_settings(settings: dict[str, Any], tmp_path: Path) -> None:
    expected = run(tmp_path / "whole", **settings)
    for number, cut in enumerate(TWICE):
        folder = tmp_path / str(number)
        require_same_weights(expected, interrupted_run(folder, cut, **settings))
        require_same(tmp_path / "whole", folder)
