import logging
import math
from argparse import ArgumentError
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy, ModelParallelStrategy
from torch.optim import SGD, AdamW

from robust_tuning.errors import ConfigurationError, WeightsError
from robust_tuning.lr_schedules import CosineDecay
from robust_tuning.strategies import (
    IA3,
    Adapter,
    BitFit,
    Compacter,
    FullFineTuning,
    LinearProbe,
    LoRA,
    Strategy,
)
from robust_tuning.tuner import RobustTuner, _require_whole
from tests.cli.test_run_folder import Malicious
from tests.runs import TINY, make_data, make_trainer, make_tuner

# Lightning 2.6 calls what jsonargparse has renamed.
pytestmark = pytest.mark.filterwarnings(
    "ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning"
)

STRATEGIES: list[Callable[[], Strategy]] = [
    FullFineTuning,
    LinearProbe,
    BitFit,
    lambda: LoRA(rank=3, alpha=5.0),
    IA3,
    Adapter,
    Compacter,
]
each_strategy = pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda make: make().name)
IMAGES = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def logits(tuner: RobustTuner) -> torch.Tensor:
    tuner.eval()
    with torch.no_grad():
        out: torch.Tensor = tuner(IMAGES)
    tuner.train()
    return out


def train(folder: Path, tuner: RobustTuner, *callbacks: Callback, **settings: Any) -> RobustTuner:
    make_trainer(folder, *callbacks, **settings).fit(tuner, datamodule=make_data())
    return tuner


def checkpoint_of(folder: Path, tuner: RobustTuner) -> Path:
    trainer = make_trainer(folder)
    trainer.fit(tuner, datamodule=make_data())
    trainer.save_checkpoint(folder / "x.ckpt")
    return folder / "x.ckpt"


@each_strategy
def test_a_checkpoint_gives_the_module_back(
    strategy: Callable[[], Strategy], tmp_path: Path
) -> None:
    tuner = make_tuner(strategy())
    before = logits(tuner)
    file = checkpoint_of(tmp_path, tuner)
    assert not torch.equal(logits(tuner), before)
    frozen = {
        f"backbone.{name}"
        for name, p in tuner.backbone.named_parameters()
        if not p.requires_grad and not tuner.backbone.is_head(name)
    }
    content = torch.load(file, weights_only=True)
    assert not frozen & set(content["state_dict"])
    again = RobustTuner.load_from_checkpoint(file)
    assert again.strategy == tuner.strategy or vars(again.strategy) == vars(tuner.strategy)
    assert type(again.strategy) is type(tuner.strategy)
    assert torch.equal(logits(again), logits(tuner))


def test_a_small_strategy_has_a_small_checkpoint(tmp_path: Path) -> None:
    sizes = []
    for number, strategy in enumerate((FullFineTuning(), BitFit())):
        folder = tmp_path / str(number)
        sizes.append(checkpoint_of(folder, make_tuner(strategy)).stat().st_size)
    assert sizes[1] < sizes[0] / 10


def edited(file: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    content = torch.load(file, weights_only=True)
    change(content)
    torch.save(content, file)
    return file


def test_a_checkpoint_of_another_strategy_is_refused(tmp_path: Path) -> None:
    file = checkpoint_of(tmp_path, make_tuner(BitFit()))
    trainer = make_trainer(tmp_path / "other")
    with pytest.raises(WeightsError, match="another strategy"):
        trainer.fit(make_tuner(LoRA()), datamodule=make_data(), ckpt_path=file)


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "other weights": lambda c: c.update(backbone_sha256="0" * 64),
    "no hash": lambda c: c.pop("backbone_sha256"),
    "missing tensor": lambda c: c["state_dict"].pop("backbone.net.head.weight"),
    "surplus tensor": lambda c: c["state_dict"].update({"backbone.net.x": torch.zeros(1)}),
    "shape": lambda c: c["state_dict"].update({"backbone.net.head.weight": torch.zeros(10, 3)}),
    "no state": lambda c: c.pop("state_dict"),
}


@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS)
def test_an_edited_checkpoint_is_refused(
    change: Callable[[dict[str, Any]], object], tmp_path: Path
) -> None:
    file = edited(checkpoint_of(tmp_path, make_tuner()), change)
    with pytest.raises(WeightsError):
        RobustTuner.load_from_checkpoint(file)
    trainer = make_trainer(tmp_path / "other")
    with pytest.raises(WeightsError):
        trainer.fit(make_tuner(), datamodule=make_data(), ckpt_path=file)


def test_other_pretrained_weights_are_refused(tmp_path: Path) -> None:
    file = checkpoint_of(tmp_path, make_tuner())
    other = {"name": TINY.name, "kwargs": {"depth": 2}, "pretrained": False}
    with pytest.raises(WeightsError, match="pretrained"):
        RobustTuner.load_from_checkpoint(file, backbone=other)


def test_a_checkpoint_that_would_run_code_is_refused_unexecuted(tmp_path: Path) -> None:
    proof = tmp_path / "executed"
    file = checkpoint_of(tmp_path, make_tuner())
    edited(file, lambda content: content.update(extra=Malicious(proof)))
    with pytest.raises(Exception, match=r"weights_only|Unsupported"):
        RobustTuner.load_from_checkpoint(file)
    trainer = make_trainer(tmp_path / "other")
    with pytest.raises(Exception, match=r"weights_only|Unsupported"):
        trainer.fit(make_tuner(), datamodule=make_data(), ckpt_path=file)
    assert not proof.exists()


def test_a_class_path_in_a_checkpoint_must_be_a_plugin(tmp_path: Path) -> None:
    file = checkpoint_of(tmp_path, make_tuner())
    proof = tmp_path / "executed"
    bad = {"class_path": "os.system", "init_args": {"command": f"touch {proof}"}}
    nested = {"class_path": "robust_tuning.strategies.LoRA", "init_args": {"targets": [bad]}}
    popen = {"class_path": "subprocess.Popen", "init_args": {"args": ["touch", str(proof)]}}
    for spec in (bad, nested, popen, {"class_path": "no.such.Class", "init_args": {}}):
        edited(file, lambda content: content["hyper_parameters"].update(strategy=spec))  # noqa: B023
        with pytest.raises((ArgumentError, ValueError), match=r"subclass|no\.such|typing\.Literal"):
            RobustTuner.load_from_checkpoint(file)
        assert not proof.exists()


class Drawing(Callback):
    """Draws random numbers whenever it can, and a different number of them each time."""

    def on_train_batch_start(self, *_: Any) -> None:
        torch.rand(3)

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        torch.rand(1 + trainer.global_step)

    def on_validation_end(self, *_: Any) -> None:
        torch.rand(7)


def test_noise_depends_on_seed_epoch_and_batch_alone(tmp_path: Path) -> None:
    def noisy(**settings: Any) -> RobustTuner:
        return make_tuner(LoRA(dropout=0.3), **settings)

    plain = train(tmp_path / "a", noisy(), max_epochs=2)
    drawn = train(tmp_path / "b", noisy(), Drawing(), max_epochs=2)
    assert torch.equal(logits(plain), logits(drawn))


def test_noise_differs_between_batches_epochs_and_seeds() -> None:
    seen = set()
    for seed in (0, 1):
        tuner = make_tuner(seed=seed)
        for epoch in (0, 1, 2):
            type(tuner).current_epoch = property(lambda _, epoch=epoch: epoch)  # type: ignore[assignment,misc]
            for batch in (0, 1, 2):
                tuner.on_train_batch_start(None, batch)  # type: ignore[arg-type]
                seen.add(tuple(torch.rand(4).tolist()))
    del RobustTuner.current_epoch
    assert len(seen) == 18


@pytest.mark.parametrize(
    ("optimizer", "settings", "message"),
    [
        (lambda groups: AdamW(groups, lr=0.3), {}, r"model\.lr"),
        (lambda groups: AdamW(groups, weight_decay=0.5), {}, r"model\.weight_decay"),
        (lambda groups: SGD(groups, lr=0.3), {"lr": 0.1}, r"model\.lr \(0\.1\)"),
    ],
)
def test_a_rate_that_would_be_ignored_is_refused(
    optimizer: Any, settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    tuner = make_tuner(optimizer=optimizer, **settings)
    with pytest.raises(ConfigurationError, match=message):
        train(tmp_path, tuner)


def test_rates_reach_the_groups(tmp_path: Path) -> None:
    optimizer = make_tuner(FullFineTuning(), lr=0.02, weight_decay=0.3).configure_optimizers()
    assert {group["lr"] for group in optimizer.param_groups} == {0.02}
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.0, 0.3}


@pytest.mark.parametrize(
    ("settings", "steps"),
    [({"max_epochs": 2}, 6), ({"max_steps": 4}, 4), ({"accumulate_grad_batches": 2}, 2)],
)
def test_a_schedule_ends_when_training_does(
    settings: dict[str, Any], steps: int, tmp_path: Path
) -> None:
    rates: list[float] = []

    class Rates(Callback):
        def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
            rates.append(optimizer.param_groups[0]["lr"])

    tuner = make_tuner(lr=1.0, lr_scheduler=lambda optimizer: CosineDecay(optimizer))
    train(
        tmp_path, tuner, Rates(), **{"max_epochs": -1 if "max_steps" in settings else 1, **settings}
    )
    expected = [0.5 * (1 + math.cos(math.pi * step / steps)) for step in range(steps)]
    assert rates == pytest.approx(expected)


def test_a_summary_says_what_trains_and_what_cannot_learn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tuner = make_tuner(BitFit())
    with caplog.at_level(logging.INFO, "robust_tuning.tuner"):
        train(tmp_path, tuner)
    trained = sum(p.numel() for p in tuner.backbone.parameters() if p.requires_grad)
    total = sum(p.numel() for p in tuner.backbone.parameters())
    in_head = 10 * 128 + 10
    ours = [r.getMessage() for r in caplog.records if r.name == "robust_tuning.tuner"]
    summary, inert = ours
    assert summary.startswith("BitFit")
    assert f"trains {trained:,} of {total:,} parameters" in summary
    assert f"({100 * trained / total:.2f} %), {in_head:,} of them in the head" in summary
    assert "cannot learn" in inert
    assert "attn" in inert
    assert "key" in inert or "softmax" in inert


@pytest.mark.parametrize("split", ["validation", "test"])
def test_logged_accuracy_is_a_hand_count(split: str, tmp_path: Path) -> None:
    tuner, data = (
        train(tmp_path / "fit", make_tuner(lr=0.02), max_epochs=2),
        make_data(eval_batch_size=7),
    )
    trainer = make_trainer(tmp_path)
    evaluate = trainer.validate if split == "validation" else trainer.test
    [logged] = evaluate(tuner, datamodule=data, verbose=False)
    tuner.eval()
    correct = 0
    for example in data.dataset(split):  # type: ignore[arg-type,attr-defined]
        with torch.no_grad():
            predicted = int(tuner.backbone(example.images[None]).argmax())
        correct += predicted == int(example.labels)
    assert 0 < correct < 300
    assert logged[f"{split}/accuracy"] == pytest.approx(correct / 300)


@pytest.mark.parametrize("kind", [FSDPStrategy, ModelParallelStrategy])
def test_weights_divided_among_devices_are_refused(kind: type[Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"{kind.__name__}, which leaves each .*use ddp"):
        _require_whole(kind())
    _require_whole(DDPStrategy())
