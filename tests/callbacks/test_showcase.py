from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robust_tuning.attacks import PGD, AutoAttack, Outcomes, evaluate
from robust_tuning.callbacks import AdversarialEvaluation, Schedule
from robust_tuning.callbacks.evaluation import prepared
from robust_tuning.callbacks.showcase import choose
from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import FrontierPoint, Run, read_points
from robust_tuning.frontier.examples import PerturbedExamples, examples_path
from tests.runs import make_data, make_evaluation, make_trainer, make_tuner

THREATS = ("linf-2/255", "linf-8/255")


def outcomes(indices: list[int], correct: list[int], robust: list[int]) -> Outcomes:
    verdicts = np.array(robust, dtype=bool)
    return Outcomes(
        indices=np.array(indices),
        labels=np.zeros(len(indices), dtype=np.int64),
        clean_correct=np.array(correct, dtype=bool),
        robust={"linf-1/255": verdicts},
        steps={},
        diagnostics={},
        audits={},
    )


def test_broken_ones_with_the_lowest_indices_come_first() -> None:
    found = outcomes([9, 4, 7, 1, 3], correct=[1, 1, 1, 0, 1], robust=[0, 0, 1, 0, 1])
    for count, expected in ((1, [4]), (3, [3, 4, 9]), (9, [3, 4, 7, 9]), (0, [])):
        chosen = choose(found, "linf-1/255", count)
        assert found.indices[chosen].tolist() == expected  # 1 was misclassified all along


def run(folder: Path, **settings: Any) -> tuple[Any, Any]:
    """A short training with an evaluation before every epoch; the trainer and its model."""
    settings = {"schedule": Schedule("epoch"), "n": 60, **settings}
    trainer = make_trainer(folder, make_evaluation(**{"examples": 4, **settings}), max_epochs=2)
    tuner = make_tuner()
    trainer.fit(tuner, datamodule=make_data())
    return trainer, tuner


def numbers(point: FrontierPoint) -> FrontierPoint:
    """A point without what a clock and the process's memory decide."""
    cost = replace(point.cost, seconds=0.0, peak_memory=0)
    return replace(point, run="", time="", cost=cost)


@pytest.mark.parametrize("more", [{}, {"warm_start": True}, {"inherit": True, "audit": 5}])
def test_nothing_else_knows_of_them(tmp_path: Path, more: dict[str, Any]) -> None:
    _, without = run(tmp_path / "without", examples=0, **more)
    states = torch.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index]
    _, tuner = run(tmp_path / "with", examples=4, **more)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]  # type: ignore[index]
    assert not (tmp_path / "without" / "examples").exists()
    one, other = (Run(tmp_path / name) for name in ("without", "with"))
    assert list(map(numbers, one.points)) == list(map(numbers, other.points))
    for a, b in zip(one.points, other.points, strict=True):
        assert np.array_equal(one.outcomes(a).clean_correct, other.outcomes(b).clean_correct)
    for name, value in without.state_dict().items():
        assert torch.equal(value, tuner.state_dict()[name]), name
    assert all((tmp_path / "with" / "examples").glob("*.npz"))


def test_they_are_what_the_evaluation_found(tmp_path: Path) -> None:
    _, tuner = run(tmp_path)
    *_, point = read_points(tmp_path)
    verdicts = Run(tmp_path).outcomes(point)
    data = make_data()
    loader = data.evaluation_loader(data.evaluation_examples("validation", 60))
    for threat in THREATS:
        attack = PGD().at(threat.removeprefix("linf-"))
        whole = evaluate(tuner.backbone, prepared(tuner, loader), attack, keep="float32")
        shown = PerturbedExamples.read(examples_path(tmp_path, threat))
        assert (shown.step, shown.split, len(shown)) == (point.step, "validation", 4)
        assert shown.class_names == tuple(data.class_names)
        broken = verdicts.clean_correct & ~verdicts.robust[threat]
        expected = sorted(verdicts.index[broken].tolist())[:4]
        assert len(expected) == 4, "the network is too robust for this test"
        assert shown.index.tolist() == expected
        assert np.array_equal(shown.predicted_clean, shown.label)
        assert (shown.predicted_adversarial != shown.label).all()
        # The very images that the attack of all found, and no farther away than it may go.
        images = shown.clean / 255 + shown.perturbation.astype(float)
        found = whole.adversarial[threat].of(torch.from_numpy(shown.index)).numpy()
        assert np.abs(images - found).max() < 0.6 / 255
        eps = int(threat[5]) / 255
        assert 0.9 * eps < np.abs(shown.perturbation.astype(float)).max() < 1.001 * eps


def test_another_evaluation_replaces_them_under_the_step_of_its_point(tmp_path: Path) -> None:
    trainer, _ = run(tmp_path)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    evaluation = AdversarialEvaluation(eps=["2/255"], n=40, examples=2)
    again = make_trainer(tmp_path, evaluation)
    again.test(make_tuner(), make_data(), ckpt_path=str(tmp_path / "a.ckpt"), verbose=False)
    shown = PerturbedExamples.read(examples_path(tmp_path, "linf-2/255"))
    assert (shown.step, shown.split, len(shown)) == (6, "test", 2)
    assert PerturbedExamples.read(examples_path(tmp_path, "linf-8/255")).split == "validation"


@pytest.mark.slow
def test_attacks_in_stages_have_theirs_too(tmp_path: Path) -> None:
    _, _ = run(
        tmp_path, attack=AutoAttack(eps="8/255"), eps=None, schedule=Schedule(end=True), n=20
    )
    shown = PerturbedExamples.read(examples_path(tmp_path, "linf-8/255"))
    assert (shown.predicted_adversarial != shown.label).any()


def test_fewer_than_none_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"adversarial\.examples is -1"):
        AdversarialEvaluation(examples=-1)
