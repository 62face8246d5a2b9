from pathlib import Path

import pytest
from lightning.pytorch import Trainer
from rich.progress import Progress

from robust_tuning.attacks import Progress as EvaluationProgress
from robust_tuning.callbacks.progress import EvaluationBar, TrainingProgressBar, evaluation_bar
from tests.runs import make_data, make_evaluation, make_trainer, make_tuner


def test_the_line_shows_how_far_it_is_and_the_robust_accuracy_so_far() -> None:
    progress = Progress(disable=True)
    bar = EvaluationBar(progress, "evaluating step 3", 40)
    bar.update(EvaluationProgress(10, 40, {"linf-1/255": 0.75, "linf-4/255": 0.125}))
    [task] = progress.tasks
    assert (task.completed, task.total) == (10, 40)
    assert (
        task.description == "evaluating step 3  robust so far: linf-1/255 0.750  linf-4/255 0.125"
    )
    assert task.visible
    bar.remove()
    assert not task.visible


def test_lightnings_own_tasks_keep_their_places_when_a_line_goes() -> None:
    # It finds them by their index in the list.
    progress = Progress(disable=True)
    EvaluationBar(progress, "before the first step", 1).remove()
    train = progress.add_task("train", total=5)
    assert progress.tasks[train].description == "train"


def test_a_trainer_without_a_bar_gets_no_line() -> None:
    trainer = Trainer(logger=False, enable_progress_bar=False, accelerator="cpu")
    with evaluation_bar(trainer, "title", 1) as bar:
        assert bar is None


def test_a_disabled_bar_gets_no_line() -> None:
    own = TrainingProgressBar(refresh_rate=0)
    trainer = Trainer(logger=False, callbacks=[own], accelerator="cpu")
    with evaluation_bar(trainer, "title", 1) as bar:
        assert bar is None


def test_evaluations_show_their_lines_below_the_trainings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    update = EvaluationBar.update

    def spy(self: EvaluationBar, state: EvaluationProgress) -> None:
        update(self, state)
        shown.append(self._progress.tasks[self._task].description)

    monkeypatch.setattr(EvaluationBar, "update", spy)
    bar = TrainingProgressBar()
    trainer = make_trainer(tmp_path, bar, make_evaluation(), enable_progress_bar=True)
    trainer.fit(make_tuner(), datamodule=make_data())
    assert any(text.startswith("evaluating step 0  robust so far: linf-2/255") for text in shown)
    assert any(text.startswith("evaluating step 3  robust so far: linf-2/255") for text in shown)
