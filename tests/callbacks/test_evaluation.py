"""What an evaluation during training may and may not do."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, Trainer

from robust_tuning.callbacks import FrontierRecorder, Schedule
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.frontier import FrontierPoint, Run, read_points
from robust_tuning.strategies import FullFineTuning, LoRA
from tests.runs import make_data, make_evaluation, make_trainer, make_tuner


def fit(folder: Path, *callbacks: Callback, **settings: Any) -> list[FrontierPoint]:
    make_trainer(folder, *callbacks, **settings).fit(make_tuner(), datamodule=make_data())
    return read_points(folder) if (folder / "frontier.jsonl").exists() else []


def test_points_are_where_the_schedule_says_and_never_twice(tmp_path: Path) -> None:
    # Step 3 is a listed step, a multiple, the end of an epoch; step 6 is also the end of the run.
    schedule = Schedule("epoch", steps=(2, 3), every_n_steps=3, epoch_ends=True)
    points = fit(tmp_path, make_evaluation(schedule=schedule), max_epochs=2)
    assert [point.step for point in points] == [0, 2, 3, 6]


def test_start_and_end_can_be_left_out(tmp_path: Path) -> None:
    schedule = Schedule(start=False, steps=(1,), end=False)
    assert [p.step for p in fit(tmp_path, make_evaluation(schedule=schedule))] == [1]


def test_steps_are_optimiser_steps_under_accumulation(tmp_path: Path) -> None:
    schedule = Schedule(start=False, steps=(1,), end=True)
    points = fit(tmp_path, make_evaluation(schedule=schedule), accumulate_grad_batches=2)
    assert [p.step for p in points] == [1, 2]


def test_the_sanity_pass_is_no_time_to_evaluate(tmp_path: Path) -> None:
    schedule = Schedule(start=False, steps=(1,), end=False)
    points = fit(tmp_path, make_evaluation(schedule=schedule), num_sanity_val_steps=2)
    assert [p.step for p in points] == [1]


def test_training_with_and_without_evaluation_gives_the_same_bits(tmp_path: Path) -> None:
    states = []
    for evaluations in ([make_evaluation(schedule=Schedule(every_n_steps=1))], []):
        # Stochastic depth draws random numbers at every step.
        tuner = make_tuner(FullFineTuning())
        for module in tuner.backbone.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.2
        folder = tmp_path / str(len(states))
        make_trainer(folder, *evaluations, max_epochs=2).fit(tuner, datamodule=make_data())
        states.append(tuner.state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


class Witness(Callback):
    """Compares the world before and after the evaluations of a step."""

    def __init__(self) -> None:
        self.before: list[Any] = []
        self.unchanged: list[bool] = []

    @staticmethod
    def look(tuner: torch.nn.Module) -> list[Any]:
        return [
            {k: v.clone() for k, v in tuner.state_dict().items()},
            [module.training for module in tuner.modules()],
            [
                (p.requires_grad, None if p.grad is None else p.grad.clone())
                for p in tuner.parameters()
            ],
            (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()),
        ]


class Before(Witness):
    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:
        self.before = self.look(pl_module)


class After(Witness):
    def __init__(self, before: Before) -> None:
        super().__init__()
        self.other = before

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:
        torch.testing.assert_close(self.look(pl_module), self.other.before, rtol=0, atol=0)
        self.unchanged.append(True)


def test_an_evaluation_leaves_no_trace(tmp_path: Path) -> None:
    before = Before()
    after = After(before)
    evaluation = make_evaluation(schedule=Schedule(every_n_steps=1))
    fit(tmp_path, before, evaluation, after)
    assert after.unchanged == [True] * 3


def test_validate_and_test_evaluate_their_own_split(tmp_path: Path) -> None:
    tuner, data = make_tuner(), make_data()
    make_trainer(tmp_path, make_evaluation()).validate(tuner, datamodule=data, verbose=False)
    make_trainer(tmp_path, make_evaluation()).test(tuner, datamodule=data, verbose=False)
    points = read_points(tmp_path)
    assert [(p.split, p.step) for p in points] == [("validation", 0), ("test", 0)]
    outcomes = [Run(tmp_path).outcomes(point) for point in points]
    assert not set(outcomes[0].index) & set(outcomes[1].index)
    assert all(point.cost.backward > 0 for point in points)


def test_the_same_evaluation_is_recorded_once(tmp_path: Path) -> None:
    tuner, data = make_tuner(), make_data()
    for _ in range(2):
        make_trainer(tmp_path, make_evaluation()).test(tuner, datamodule=data, verbose=False)
    assert len(read_points(tmp_path)) == 1


def test_a_radius_of_zero_is_exactly_the_clean_accuracy(tmp_path: Path) -> None:
    evaluation = make_evaluation(eps=[0.0, "4/255"], n=None, schedule=Schedule("epoch"))
    for point in fit(tmp_path, evaluation):
        assert point.robust_accuracy["linf-0"] == point.accuracy
        outcomes = Run(tmp_path).outcomes(point)
        assert (outcomes.robust["linf-0"] == outcomes.clean_correct).all()


@pytest.mark.parametrize("settings", [{"batch_size": 1}, {"batch_size": 7}])
def test_batch_size_changes_no_count(tmp_path: Path, settings: dict[str, int]) -> None:
    tuner, data = make_tuner(), make_data()
    counts = []
    for number, sizes in enumerate([{}, settings]):
        folder = tmp_path / str(number)
        trainer = make_trainer(folder, make_evaluation(n=60, **sizes))
        trainer.validate(tuner, datamodule=data, verbose=False)
        data.eval_batch_size = 13
        [point] = read_points(folder)
        counts.append((point.accuracy, point.robust_accuracy))
    assert counts[0] == counts[1]


def test_every_seed_and_strategy_sees_the_same_images(tmp_path: Path) -> None:
    indices = []
    for number, strategy in enumerate((LoRA(), FullFineTuning())):
        folder = tmp_path / str(number)
        trainer = make_trainer(folder, make_evaluation())
        tuner = make_tuner(strategy, seed=number)
        trainer.validate(tuner, datamodule=make_data(seed=number), verbose=False)
        indices.append(Run(folder).outcomes(read_points(folder)[0]).index.tolist())
    assert indices[0] == indices[1]


def test_more_examples_than_there_are_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 300"):
        fit(tmp_path, make_evaluation(n=301))


def test_an_evaluation_without_a_benchmark_says_so(tmp_path: Path) -> None:
    data = make_data()
    trainer = make_trainer(tmp_path, make_evaluation())
    with pytest.raises(ConfigurationError, match="BenchmarkDataModule"):
        trainer.fit(make_tuner(), data.train_dataloader(), data.val_dataloader())


def test_metrics_can_be_monitored_and_logged(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, make_evaluation())
    trainer.fit(make_tuner(), datamodule=make_data())
    last = read_points(tmp_path)[-1]
    metrics = trainer.callback_metrics
    assert float(metrics["frontier/accuracy"]) == pytest.approx(last.accuracy.value)
    assert float(metrics["frontier/robust_accuracy/linf-8/255"]) == pytest.approx(
        last.robust_accuracy["linf-8/255"].value
    )
    assert 0 <= float(metrics["frontier/area"]) <= 1


def test_an_occupied_folder_is_not_overwritten(tmp_path: Path) -> None:
    fit(tmp_path, make_evaluation())
    written = (tmp_path / "frontier.jsonl").read_bytes()
    from robust_tuning.errors import RunError

    with pytest.raises(RunError, match="holds a run already"):
        fit(tmp_path, FrontierRecorder(folder=str(tmp_path)), make_evaluation())
    assert (tmp_path / "frontier.jsonl").read_bytes() == written
