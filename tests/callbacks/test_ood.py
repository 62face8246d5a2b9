"""Accuracy out of distribution along a run."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback

from robust_tuning.attacks import PGD
from robust_tuning.callbacks import OODEvaluation, Schedule
from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import FrontierPoint, Run, read_points
from robust_tuning.shifts import Corruptions
from robust_tuning.shifts.corruptions import Corruption
from robust_tuning.strategies import LoRA
from robust_tuning.trajectory import load_point, trajectory_path
from tests.callbacks.test_evaluation import After, Before
from tests.runs import make_data, make_evaluation, make_trainer, make_tuner

TWO = ["gaussian_noise", "contrast"]


def make_ood(**settings: Any) -> OODEvaluation:
    settings = {"shifts": [Corruptions(corruptions=TWO, severities=[2, 5])], **settings}
    return OODEvaluation(**settings)


def fit(folder: Path, *callbacks: Callback, **settings: Any) -> list[FrontierPoint]:
    make_trainer(folder, *callbacks, **settings).fit(make_tuner(), datamodule=make_data())
    return read_points(folder)


def test_both_measurements_of_a_step_make_one_point(tmp_path: Path) -> None:
    points = fit(tmp_path, make_evaluation(), make_ood())
    assert [point.step for point in points] == [0, 3]
    for point in points:
        assert list(point.robust_accuracy) == ["linf-2/255", "linf-8/255"]
        keys = [f"{name}-{severity}" for name in TWO for severity in (2, 5)]
        assert list(point.ood_accuracy) == keys
        assert point.shifts["corruptions"].keys == tuple(keys)
        assert point.shifts["corruptions"].settings["table"] == "cifar"
        assert list(point.calibration) == ["clean", *keys]
        assert {e.n for e in point.ood_accuracy.values()} == {20}
        outcomes = Run(tmp_path).outcomes(point)
        assert outcomes.agrees_with(point)
        for key in keys:
            shift = outcomes.shifts[key]
            assert shift.index.tolist() == outcomes.index.tolist()
            assert int(shift.correct.sum()) == point.ood_accuracy[key].successes
        assert load_point(trajectory_path(tmp_path, point.step))
    # 20 clean images and 80 shifted ones on top of the attack's passes.
    alone = fit(tmp_path / "alone", make_evaluation())
    assert points[-1].cost.forward == alone[-1].cost.forward + 100
    assert points[-1].accuracy == alone[-1].accuracy


def test_the_order_of_the_two_does_not_matter(tmp_path: Path) -> None:
    one = fit(tmp_path / "one", make_evaluation(), make_ood())
    other = fit(tmp_path / "other", make_ood(), make_evaluation())
    for first, second in zip(one, other, strict=True):
        assert first.ood_accuracy == second.ood_accuracy
        assert first.robust_accuracy == second.robust_accuracy
        assert first.accuracy == second.accuracy
        outcomes = Run(tmp_path / "other").outcomes(second)
        assert set(outcomes.robust) == set(second.robust_accuracy)
        assert set(outcomes.shifts) == set(second.ood_accuracy)


def test_the_accuracy_is_that_of_a_hand_made_loop(tmp_path: Path) -> None:
    tuner, data = make_tuner(), make_data()
    trainer = make_trainer(tmp_path, make_ood(n=30))
    trainer.validate(tuner, datamodule=data, verbose=False)
    [point] = read_points(tmp_path)
    examples = data.evaluation_examples("validation", 30)
    batch = examples.__getitems__(list(range(30)))  # type: ignore[attr-defined]  # of tensors
    tuner.eval()
    for key, estimate in point.ood_accuracy.items():
        name, _, severity = key.rpartition("-")
        images = Corruption(name, int(severity), "cifar")(
            (batch.images * 255).round().byte(), batch.indices
        )
        with torch.no_grad():
            right = tuner(images.float() / 255).argmax(1) == batch.labels
        assert estimate.successes == int(right.sum())
        assert estimate.n == 30
    assert point.attack is None
    assert not point.robust_accuracy


def test_it_has_a_schedule_and_a_number_of_its_own_if_told(tmp_path: Path) -> None:
    sparse = make_ood(schedule=Schedule(steps=(2,), start=False, end=False), n=10)
    points = fit(tmp_path, make_evaluation(), sparse)
    assert [(p.step, bool(p.robust_accuracy), bool(p.ood_accuracy)) for p in points] == [
        (0, True, False),
        (2, False, True),
        (3, True, False),
    ]
    assert {e.n for e in points[1].ood_accuracy.values()} == {10}


def test_all_examples_can_be_asked_for(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, make_evaluation(n=5), make_ood(n="all"))
    trainer.validate(make_tuner(), datamodule=make_data(), verbose=False)
    [point] = read_points(tmp_path)
    assert {e.n for e in point.ood_accuracy.values()} == {300}
    assert point.accuracy.n == 5


def test_another_split_makes_another_point(tmp_path: Path) -> None:
    points = fit(tmp_path, make_evaluation(), make_ood(split="test"))
    assert [(p.step, p.split, bool(p.ood_accuracy)) for p in points] == [
        (0, "validation", False),
        (0, "test", True),
        (3, "validation", False),
        (3, "test", True),
    ]


def test_without_shifts_nothing_happens(tmp_path: Path) -> None:
    points = fit(tmp_path, make_evaluation(), OODEvaluation())
    assert all(not point.ood_accuracy for point in points)


def test_it_leaves_no_trace(tmp_path: Path) -> None:
    before = Before()
    after = After(before)
    fit(tmp_path, before, make_ood(schedule=Schedule(every_n_steps=1)), after)
    assert after.unchanged == [True] * 3


@pytest.mark.parametrize("cache", ["ram", "disk"])
def test_a_cache_changes_nothing_but_the_time(tmp_path: Path, cache: Any) -> None:
    settings = {"cache": cache, "cache_dir": str(tmp_path / "cache")}
    kept = fit(tmp_path / "kept", make_ood(**settings, n=20))
    computed = fit(tmp_path / "computed", make_ood(n=20))
    for one, other in zip(kept, computed, strict=True):
        assert one.ood_accuracy == other.ood_accuracy
        assert one.calibration == other.calibration
        assert one.shifts == other.shifts


def test_an_attack_on_shifted_images_is_one_line_more(tmp_path: Path) -> None:
    ood = make_ood(attack=PGD(steps=5), eps=[0.0, "4/255"], n=20)
    last = fit(tmp_path, ood)[-1]
    keys = last.shifts["corruptions"].keys
    assert last.shifts["corruptions/linf-4/255"].keys == tuple(f"{k}/linf-4/255" for k in keys)
    prints = {shift.fingerprint for shift in last.shifts.values()}
    assert len(prints) == 2  # a radius is in the key already
    outcomes = Run(tmp_path).outcomes(last)
    for key in keys:
        clean = outcomes.shifts[key]
        # eps = 0 gives exactly the accuracy on the shifted images.
        assert outcomes.shifts[f"{key}/linf-0"].correct.tolist() == clean.correct.tolist()
        broken = outcomes.shifts[f"{key}/linf-4/255"]
        assert broken.index.tolist() == clean.index.tolist()
        assert not (broken.correct & ~clean.correct).any()
        assert last.diagnostics[f"{key}/linf-4/255"]
    attacked = sum(last.ood_accuracy[f"{key}/linf-4/255"].value for key in keys)
    assert attacked < sum(last.ood_accuracy[key].value for key in keys)


def test_findings_and_the_cost_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="robust_tuning"):
        fit(tmp_path, make_ood(n=20))
    told = [r.getMessage() for r in caplog.records if "4 shifted sets" in r.getMessage()]
    assert len(told) == 1
    assert "100 images to classify, 80 of them computed first, about" in told[0]


def test_an_interruption_between_the_two_costs_only_what_was_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> torch.Tensor:
        raise KeyboardInterrupt

    def attempt() -> None:
        tuner, data = make_tuner(), make_data()
        trainer = make_trainer(tmp_path, make_evaluation(), make_ood())
        trainer.validate(tuner, datamodule=data, verbose=False)

    with monkeypatch.context() as patch:
        patch.setattr(Corruption, "__call__", interrupted)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            attempt()
    [half] = read_points(tmp_path)
    assert half.robust_accuracy
    assert not half.ood_accuracy
    attempt()
    [whole] = read_points(tmp_path)
    assert whole.robust_accuracy == half.robust_accuracy
    assert whole.ood_accuracy
    attempt()
    assert read_points(tmp_path) == [whole]


def test_metrics_can_be_monitored(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, make_evaluation(), make_ood())
    trainer.fit(make_tuner(LoRA()), datamodule=make_data())
    last = read_points(tmp_path)[-1]
    metrics = trainer.callback_metrics
    values = [estimate.value for estimate in last.ood_accuracy.values()]
    key = "frontier/ood_accuracy/corruptions-mean"
    assert float(metrics[key]) == pytest.approx(sum(values) / 4)
    assert float(metrics["frontier/ood_accuracy/contrast-5"]) == pytest.approx(values[-1])
    assert float(metrics["frontier/calibration/clean"]) == pytest.approx(
        last.calibration["clean"].value
    )
    assert 0 <= float(metrics["frontier/area"]) <= 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"eps": ["1/255"]}, "no ood.attack"),
        ({"cache": "tape"}, "expected none, ram or disk"),
        ({"batch_size": 0}, "at least 1"),
        ({"n": 0}, "positive number"),
        ({"shifts": [Corruptions(), Corruptions()]}, "called corruptions"),
    ],
)
def test_wrong_settings_are_told(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        fit(tmp_path, make_ood(**settings))
