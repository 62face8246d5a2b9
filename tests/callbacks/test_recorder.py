import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightning.pytorch import Callback

from robust_tuning.callbacks import FrontierRecorder, Measurement, Schedule
from robust_tuning.callbacks import recorder as module
from robust_tuning.callbacks.recorder import Keep
from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import AttackIdentity, Cost, ExampleOutcomes, Run, read_points
from robust_tuning.frontier.outcomes import outcomes_path
from robust_tuning.strategies import FullFineTuning, Strategy
from robust_tuning.trajectory import load_point, trajectory_path
from tests.runs import make_data, make_evaluation, make_trainer, make_tuner

N = 20
# Clean and robust counts of two threats by step. Frontiers: 1, 3 and 4; 1, 2 and 4.
COUNTS = {0: (5, 1, 1), 1: (12, 9, 2), 2: (10, 2, 8), 3: (11, 10, 1), 4: (15, 4, 1), 5: (9, 4, 7)}


def measurement(step: int) -> Measurement:
    def first(count: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return np.arange(N) < count

    clean, *robust = COUNTS[step]
    threats = dict(zip(("linf-1/255", "linf-2/255"), map(first, robust), strict=True))
    outcomes = ExampleOutcomes(np.arange(N), np.zeros(N, int), first(clean), threats)
    attack = AttackIdentity("somebody.Attack", {}, "0123456789abcdef")
    return Measurement("validation", outcomes, attack, Cost(1.0, 2, 3))


class Recording(Callback):
    """Hands the recorder a made-up measurement before and after every step."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        [recorder] = [c for c in trainer.callbacks if isinstance(c, FrontierRecorder)]
        recorder.begin(trainer, pl_module)
        recorder.record(trainer, pl_module, measurement(trainer.global_step))

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        self.on_train_start(trainer, pl_module)


def record(folder: Path, keep: Keep, strategy: Strategy | None = None) -> None:
    recorder = FrontierRecorder(folder=str(folder), keep=keep)
    trainer = make_trainer(folder, recorder, Recording(), max_steps=5, max_epochs=-1)
    trainer.fit(make_tuner(strategy), datamodule=make_data())


def kept(folder: Path) -> list[int]:
    return [int(f.stem.removeprefix("step-")) for f in sorted((folder / "trajectory").glob("*"))]


def pareto(threat: int) -> set[int]:
    """By definition: no other point is as good in both and better in one."""
    pairs = {step: (counts[0], counts[threat]) for step, counts in COUNTS.items()}
    return {
        step
        for step, (x, y) in pairs.items()
        if not any(a >= x and b >= y and (a, b) != (x, y) for a, b in pairs.values())
    }


@pytest.mark.parametrize(
    ("keep", "strategy", "steps"),
    [
        ("all", None, set(COUNTS)),
        ("none", None, set()),
        ("frontier", None, pareto(1) | pareto(2)),
        ("auto", None, set(COUNTS)),
        ("auto", FullFineTuning(), pareto(1) | pareto(2)),
    ],
)
def test_the_states_that_are_kept(
    keep: Keep, strategy: Strategy | None, steps: set[int], tmp_path: Path
) -> None:
    record(tmp_path, keep, strategy)
    assert (pareto(1), pareto(2)) == ({1, 3, 4}, {1, 2, 4})
    assert kept(tmp_path) == sorted(steps)
    points = read_points(tmp_path)
    assert [point.step for point in points] == list(COUNTS)
    for point in points:
        assert point.accuracy.successes == COUNTS[point.step][0]
        assert Run(tmp_path).outcomes(point).agrees_with(point)
    assert all(load_point(trajectory_path(tmp_path, step)) for step in steps)


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="auto, all, frontier or none"):
        FrontierRecorder(keep="some")  # type: ignore[arg-type]  # on purpose


def test_a_point_says_what_it_is_of(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    trainer = make_trainer(folder, make_evaluation(schedule=Schedule(end=True)), max_epochs=2)
    tuner = make_tuner(seed=3)
    trainer.fit(tuner, datamodule=make_data())
    first, last = read_points(folder)
    assert (first.step, first.epoch, last.step, last.epoch) == (0, 0, 6, 2)
    assert last.run == "mine"
    assert (last.benchmark, last.strategy, last.objective) == ("Digits", "BitFit", "CrossEntropy")
    assert (last.seed, last.split) == (3, "validation")
    assert last.backbone == str(tuner.backbone.identity)
    trained = sum(p.numel() for p in tuner.backbone.parameters() if p.requires_grad)
    assert last.trainable_parameters == trained < last.total_parameters


def test_the_configurations_hash_is_the_files_where_there_is_one(tmp_path: Path) -> None:
    hashes = []
    for name, lr, text in (("a", 0.1, None), ("b", 0.1, None), ("c", 0.2, None), ("d", 0.1, "x")):
        folder = tmp_path / name
        folder.mkdir()
        if text:
            (folder / "config.yaml").write_text(text)
        make_trainer(folder, make_evaluation()).validate(
            make_tuner(lr=lr), datamodule=make_data(), verbose=False
        )
        hashes.append(read_points(folder)[0].config_hash)
    assert hashes[0] == hashes[1] != hashes[2]
    assert hashes[3] == sha256(b"x").hexdigest()[:16]


class KilledError(BaseException):
    """Where the process is gone."""


@pytest.mark.parametrize("function", ["save_point", "append_point"])
def test_a_kill_before_the_line_leaves_nothing_that_counts(
    function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(module, function)

    def killed(*arguments: Any) -> None:
        if "00000002" in str(arguments[1]) or getattr(arguments[1], "step", 0) == 2:
            raise KilledError
        real(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(module, function, killed)
        with pytest.raises(KilledError):
            record(tmp_path, "all")
    run = Run(tmp_path)
    assert [point.step for point in run.points] == [0, 1]
    assert all(run.outcomes(point) for point in run.points)
    assert {0, 1} <= set(kept(tmp_path)) <= {0, 1, 2}
    assert outcomes_path(tmp_path, 2, "validation").exists()


def test_begin_forgets_what_a_resumed_run_has_not_done_yet(tmp_path: Path) -> None:
    record(tmp_path, "all")
    trainer = make_trainer(tmp_path, Recording(), max_steps=2, max_epochs=-1)
    lines = (tmp_path / "frontier.jsonl").read_bytes().splitlines(keepends=True)
    recorder = FrontierRecorder(folder=str(tmp_path))
    tuner = make_tuner()
    recorder.setup(trainer, tuner, "fit")
    progress = trainer.fit_loop.epoch_loop.automatic_optimization.optim_progress
    progress.optimizer.step.total.completed = 3
    assert trainer.global_step == 3
    recorder.begin(trainer, tuner)
    assert (tmp_path / "frontier.jsonl").read_bytes() == b"".join(lines[:4])
    assert kept(tmp_path) == [0, 1, 2, 3]
    assert recorder.has(3, "validation", lambda _: True)
    assert not recorder.has(4, "validation", lambda _: True)
    assert not recorder.has(3, "test", lambda _: True)
    recorder.begin(trainer, tuner)  # whichever callback comes second
    assert len(read_points(tmp_path)) == 4


@pytest.mark.slow
def test_a_full_disk_leaves_what_was_recorded(tmp_path: Path) -> None:
    """Outcomes and weights are larger than a line: whichever write fails, no line is torn."""
    code = FULL_RUN.format(folder=str(tmp_path))
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert "File too large" in ended.stderr, ended.stderr
    text = (tmp_path / "frontier.jsonl").read_text()
    assert text.endswith("\n")
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["step"] for row in rows] == [0]
    assert not list((tmp_path / "trajectory").glob(".*"))


FULL_RUN = """
import resource, signal, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from lightning.pytorch import Callback
from tests.callbacks.test_recorder import record

class Full(Callback):
    def on_train_batch_start(self, trainer, *_):
        size = (Path({folder!r}) / "frontier.jsonl").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, size + 10))

import tests.callbacks.test_recorder as tests
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
real = tests.make_trainer
tests.make_trainer = lambda folder, *callbacks, **s: real(folder, Full(), *callbacks, **s)
record(Path({folder!r}), "all")
"""
