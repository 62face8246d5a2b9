"""Ctrl-C and preemption: what is finished, what is saved, and that no trace of it stays."""

import signal
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer

from robust_tuning.attacks import evaluate
from robust_tuning.callbacks import Schedule
from robust_tuning.callbacks.checkpoint import LastCheckpoint
from robust_tuning.callbacks.interruption import SaveOnInterrupt, leaving, reporting
from robust_tuning.frontier import read_points
from robust_tuning.tuner import RobustTuner
from tests.callbacks.test_slurm import scontrol
from tests.cli.conftest import QUICK, Command
from tests.cli.conftest import command as command
from tests.runs import make_data, make_evaluation, make_trainer
from tests.test_resume import noisy_tuner, require_same, require_same_weights, rows

STOP = signal.SIGINT


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Lightning ignores Ctrl-C for good once it has seen one."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Signal(Callback):
    """Sends signals to this process the first time that a hook sees so many steps done."""

    def __init__(self, hook: str, step: int, *numbers: signal.Signals) -> None:
        self.sent = False

        def send(trainer: Any, *_: Any) -> None:
            if trainer.global_step == step and not self.sent:
                self.sent = True
                for number in numbers or (STOP,):
                    signal.raise_signal(number)

        setattr(self, hook, send)


def run(folder: Path, *callbacks: Callback, resume: bool = False, **settings: Any) -> RobustTuner:
    """Two epochs of three batches, evaluated at their ends; the saver stands first."""
    checkpoints = str(folder / "checkpoints")
    trainer = make_trainer(
        folder,
        SaveOnInterrupt(checkpoints),
        *callbacks,
        make_evaluation(schedule=Schedule("epoch", end=False)),
        LastCheckpoint(checkpoints),
        **{"max_epochs": 2, "enable_checkpointing": True, **settings},
    )
    tuner = noisy_tuner()
    last = f"{checkpoints}/last.ckpt" if resume else None
    trainer.fit(tuner, datamodule=make_data(), ckpt_path=last)
    return tuner


def interrupt(folder: Path, *callbacks: Callback, **settings: Any) -> None:
    with pytest.raises(SystemExit):
        run(folder, *callbacks, **settings)


def saved_step(folder: Path) -> int | None:
    file = folder / "checkpoints" / "last.ckpt"
    return int(torch.load(file, weights_only=True)["global_step"]) if file.exists() else None


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RobustTuner]:
    folder = tmp_path_factory.mktemp("whole")
    return folder, run(folder)


# What is in progress, after how many steps it is stopped, and the step that is saved.
CASES: list[tuple[Any, ...]] = [
    ("on_before_backward", 1, 2),
    ("on_before_backward", 1, 2, signal.SIGTERM),
    ("on_before_optimizer_step", 0, 1),
    ("on_train_batch_end", 1, 2),  # asked after the step has looked: one more
    ("on_train_batch_start", 2, 3),  # the last batch of an epoch, with its validation
    ("on_validation_batch_start", 3, 3),
    ("on_validation_end", 3, 3),
    ("on_train_epoch_start", 3, 4),
    ("on_before_backward", 5, 6),
    ("on_validation_start", 6, 6),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}-{len(case)}")
def test_the_step_ends_is_saved_and_continued_exactly(
    case: tuple[Any, ...], whole: tuple[Path, RobustTuner], tmp_path: Path
) -> None:
    hook, step, saved, *numbers = case
    interrupt(tmp_path, Signal(hook, step, *numbers))
    assert saved_step(tmp_path) == saved
    # In an epoch nothing is evaluated, and at its end the interruption comes first.
    assert [point.step for point in read_points(tmp_path)] == [0, 3][: 1 if saved <= 3 else 2]
    tuner = run(tmp_path, resume=True)
    require_same(whole[0], tmp_path)
    require_same_weights(whole[1], tuner)


class SignalInEvaluation(Callback):
    """Sends a signal from within an evaluation at a step, when it has attacked for a while."""

    def __init__(self, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
        def stopped(*arguments: Any, **settings: Any) -> Any:
            outcomes = evaluate(*arguments, **settings)
            if self.trainer.global_step == step:
                signal.raise_signal(STOP)
            return outcomes

        monkeypatch.setattr("robust_tuning.callbacks.adversarial.evaluate", stopped)

    def setup(self, trainer: Any, *_: Any, **__: Any) -> None:
        self.trainer = trainer


@pytest.mark.parametrize("step", [3, 6])
def test_an_evaluation_is_left_at_once_and_done_again(
    step: int,
    whole: tuple[Path, RobustTuner],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        interrupt(tmp_path, SignalInEvaluation(step, patched))
    assert saved_step(tmp_path) == step
    assert [point.step for point in read_points(tmp_path)] == ([0] if step == 3 else [0, 3])
    tuner = run(tmp_path, resume=True)
    require_same(whole[0], tmp_path)
    require_same_weights(whole[1], tuner)


def test_before_the_first_step_there_is_nothing_to_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(tmp_path, SignalInEvaluation(0, monkeypatch))
    assert saved_step(tmp_path) is None


def test_a_second_one_stops_at_once_and_keeps_the_last_checkpoint(
    whole: tuple[Path, RobustTuner], tmp_path: Path
) -> None:
    interrupt(tmp_path, Signal("on_before_backward", 4, STOP, STOP))
    assert saved_step(tmp_path) == 3
    require_same_weights(whole[1], run(tmp_path, resume=True))
    require_same(whole[0], tmp_path)


def test_gradients_that_are_being_accumulated_are_not_lost(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"accumulate_grad_batches": 2}
    expected = run(tmp_path / "whole", **settings)
    # The first of two batches: the second is waited for.
    interrupt(tmp_path / "cut", Signal("on_before_backward", 2), **settings)
    assert saved_step(tmp_path / "cut") == 3
    require_same_weights(expected, run(tmp_path / "cut", resume=True, **settings))
    require_same(tmp_path / "whole", tmp_path / "cut")


def test_the_signals_are_given_back(tmp_path: Path) -> None:
    def mine(*_: Any) -> None: ...

    signal.signal(signal.SIGINT, mine)
    signal.signal(signal.SIGTERM, mine)
    run(tmp_path)
    assert signal.getsignal(signal.SIGINT) is mine
    assert signal.getsignal(signal.SIGTERM) is mine


def test_a_scheduler_may_ask_several_times(
    whole: tuple[Path, RobustTuner], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Trainer.save_checkpoint

    def signalled(*arguments: Any, **settings: Any) -> None:
        signal.raise_signal(signal.SIGTERM)  # while it is being saved
        save(*arguments, **settings)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "save_checkpoint", signalled)
        interrupt(tmp_path, Signal("on_before_backward", 3, *[signal.SIGTERM] * 3))
    assert saved_step(tmp_path) == 4
    require_same_weights(whole[1], run(tmp_path, resume=True))
    require_same(whole[0], tmp_path)


class Other:
    """The other of two processes, as a strategy shows it."""

    def __init__(self, *, asked: bool) -> None:
        self.asked = asked
        self.told: list[bool] = []

    def reduce_boolean_decision(self, decision: bool, *, all: bool) -> bool:
        self.told.append(decision)
        assert not all
        return decision or self.asked


def test_of_two_processes_both_stop_after_the_same_step() -> None:
    other = Other(asked=False)
    trainer: Any = Namespace(
        world_size=2, strategy=other, is_last_batch=False, accumulate_grad_batches=1
    )
    saver: Any = SaveOnInterrupt("nowhere")
    saver.on_train_batch_end(trainer, None, None, None, 0)
    other.asked = True
    with pytest.raises(KeyboardInterrupt):
        saver.on_train_batch_end(trainer, None, None, None, 0)
    saver, other.asked = SaveOnInterrupt("nowhere"), False
    saver._interrupt(signal.SIGTERM, None)
    with pytest.raises(KeyboardInterrupt):
        saver.on_train_batch_end(trainer, None, None, None, 0)
    assert other.told == [False, False, True]


def test_a_process_passes_on_what_only_it_was_told() -> None:
    saver: Any = SaveOnInterrupt("nowhere")
    passed: list[int] = []
    saver._forward = passed.append
    saver._interrupt(signal.SIGINT, None)  # which reaches all processes of a terminal
    assert passed == []
    saver = SaveOnInterrupt("nowhere")
    saver._forward = passed.append
    for _ in range(2):
        saver._interrupt(signal.SIGTERM, None)
    assert passed == [signal.SIGTERM]


def test_several_processes_leave_an_evaluation_after_a_step() -> None:
    saver: Any = SaveOnInterrupt("nowhere")
    trainer: Any = Namespace(world_size=2, callbacks=[saver])
    shown: list[int] = []
    report = reporting(trainer, shown.append)
    with leaving(trainer):
        report(1)
        saver._interrupt(signal.SIGTERM, None)  # the others may be waiting for this one
        with pytest.raises(KeyboardInterrupt):
            report(2)
        assert saver._can_save
    assert shown == [1]
    trainer.world_size, trainer.callbacks = 1, [SaveOnInterrupt("nowhere")]
    with pytest.raises(KeyboardInterrupt), leaving(trainer):
        trainer.callbacks[0]._interrupt(signal.SIGTERM, None)
    reporting(Namespace(callbacks=[]), None)(4)  # type: ignore[arg-type]  # a trainer that saves on nothing


def test_a_job_of_slurm_is_put_back_into_the_queue_and_continues_by_the_same_command(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And returns 130, as after any interruption."""
    monkeypatch.setattr("robust_tuning.cli.train.announce_summary", lambda _: None)  # takes longer
    quick = (*QUICK, "--trainer.max_epochs", "2")
    assert command(*quick, "--run", "whole").status == 0
    real = RobustTuner.training_step

    def stopped(self: RobustTuner, *arguments: Any) -> Any:
        if self.global_step == 5:  # the last: its validation pass is still waited for
            signal.raise_signal(signal.SIGUSR1)
        return real(self, *arguments)

    notes = scontrol(tmp_path, monkeypatch)
    with monkeypatch.context() as patched:
        patched.setattr(RobustTuner, "training_step", stopped)
        answer = command(*quick)
    assert answer.status == 130
    assert "stopping after this step" in answer.out
    assert "--ckpt_path last" in answer.out
    assert notes.read_text() == "requeue 123\n"
    [folder] = Path("runs").iterdir()
    assert folder.name == "digits-lora-seed0-job123"
    assert saved_step(folder) == 6
    assert not list(folder.glob("hpc_ckpt*"))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert command(*quick).status == 0
    assert rows(folder) == rows(Path("whole"))
    best = [
        torch.load(run / "checkpoints/best.ckpt", weights_only=True)
        for run in (Path("whole"), folder)
    ]
    assert best[0]["global_step"] == best[1]["global_step"] == 6
