"""What makes training faster leaves verdicts to the plain network in float32."""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robust_tuning.attacks import PGD, evaluate
from robust_tuning.callbacks import FrontierRecorder, Schedule
from robust_tuning.callbacks.evaluation import prepared
from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import Run, read_points
from robust_tuning.lr_schedules import CosineDecay
from robust_tuning.strategies import FullFineTuning
from robust_tuning.trajectory import load_point, trajectory_path
from robust_tuning.tuner import RobustTuner
from tests.runs import TINY, make_data, make_evaluation, make_trainer, make_tuner

EPS = ("0.5/255", "2/255")
N = 30


@pytest.fixture(autouse=True)
def _quick_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole graph without the minutes that its translation takes."""
    with warnings.catch_warnings():  # some releases import what they themselves call deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.compiler.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))


def fit(folder: Path, trainer: dict[str, Any], **model: Any) -> RobustTuner:
    """Two epochs of four batches; the schedule of the learning rate ends with the last step."""
    tuner = make_tuner(
        FullFineTuning(),
        lr_scheduler=lambda optimizer: CosineDecay(optimizer, warmup_steps=1),
        **{"lr": 1e-3, **model},
    )
    evaluation = make_evaluation(
        attack=PGD(steps=5), eps=EPS, n=N, schedule=Schedule(start=False, steps=(2, 3))
    )
    recorder = FrontierRecorder(folder=str(folder), keep="all")
    settings = {"max_epochs": 2, **trainer}
    data = make_data(train_limit=64, batch_size=16)
    make_trainer(folder, evaluation, recorder, **settings).fit(tuner, datamodule=data)
    return tuner


def require_float32_verdicts(folder: Path, device: str = "cpu") -> None:
    """The verdicts of the last point are those of its stored weights, in float32 alone."""
    point = read_points(folder)[-1]
    tuner = load_point(trajectory_path(folder, point.step)).to(device)
    data = make_data()
    data.match(tuner.backbone.image_input)
    loader = data.evaluation_loader(data.evaluation_examples("validation", N))
    attacks = [PGD(eps=eps, steps=5) for eps in EPS]
    expected = evaluate(tuner.backbone, prepared(tuner, loader), attacks)
    got = Run(folder).outcomes(point)
    assert (got.clean_correct == expected.clean_correct).all()
    for threat, robust in expected.robust.items():
        assert (got.robust[threat] == robust).all()
    assert got.clean_correct.any()


OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "bfloat16": ({"precision": "bf16-mixed"}, {}),
    "compiled": ({}, {"compile": True}),
    "channels last": ({}, {"channels_last": True}),
    "accumulated and clipped": ({"accumulate_grad_batches": 3, "gradient_clip_val": 0.05}, {}),
    "all": (
        {"precision": "bf16-mixed", "accumulate_grad_batches": 3, "gradient_clip_val": 0.05},
        {"compile": True, "channels_last": True},
    ),
}


@pytest.mark.parametrize(("trainer", "model"), OPTIONS.values(), ids=OPTIONS)
def test_a_float32_pass_decides(
    trainer: dict[str, Any], model: dict[str, Any], tmp_path: Path
) -> None:
    fit(tmp_path, trainer, **model)
    # Four batches by three: two steps an epoch.
    last = 4 if "accumulate_grad_batches" in trainer else 8
    assert [point.step for point in read_points(tmp_path)] == [2, 3, last]
    require_float32_verdicts(tmp_path)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed", "32-true"])
def test_a_float32_pass_decides_on_a_gpu(precision: str, tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    model = {"compile": True, "channels_last": True}
    fit(tmp_path, {"precision": precision, "accelerator": "gpu"}, **model)
    require_float32_verdicts(tmp_path, "cuda")


class Seen:
    """What the training passes look like from the one convolution, which cuts patches."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dtypes: set[torch.dtype] = set()
        self.channels_last: set[bool] = set()
        real = torch.nn.Conv2d.forward

        def forward(module: torch.nn.Conv2d, images: torch.Tensor) -> torch.Tensor:
            answer = real(module, images)
            if module.training:
                self.dtypes.add(answer.dtype)
                self.channels_last.add(images.is_contiguous(memory_format=torch.channels_last))
            return answer

        monkeypatch.setattr(torch.nn.Conv2d, "forward", forward)


@pytest.mark.parametrize("on", [False, True])
def test_the_training_pass_has_what_was_asked_for(
    on: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Seen(monkeypatch)
    precision = {"precision": "bf16-mixed"} if on else {}
    fit(tmp_path, {**precision, "max_steps": 1}, channels_last=on)
    assert seen.dtypes == {torch.bfloat16 if on else torch.float32}
    assert seen.channels_last == {on}


def test_the_training_pass_is_compiled_and_the_evaluation_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[int] = []

    def count(graph: Any, examples: Any) -> Callable[..., Any]:
        compiled.append(len(examples))
        return graph.forward  # type: ignore[no-any-return]  # a graph's, of torch

    monkeypatch.setattr(torch, "compile", partial(torch.compile.func, backend=count))  # type: ignore[attr-defined]  # a partial
    tuner = fit(tmp_path, {"max_steps": 2}, compile=True)
    assert len(compiled) == 1
    assert not [name for name in tuner.state_dict() if "_orig_mod" in name or "_trained" in name]


def test_steps_and_the_learning_rate_count_optimiser_steps(tmp_path: Path) -> None:
    tuner = fit(tmp_path, {"accumulate_grad_batches": 3})
    scheduler = tuner.lr_schedulers()
    assert isinstance(scheduler, CosineDecay)
    assert scheduler.last_epoch == scheduler.total_steps == tuner.global_step == 4
    assert scheduler.get_last_lr()[0] == pytest.approx(0, abs=1e-12)


def test_clipping_bounds_what_a_step_changes(tmp_path: Path) -> None:
    norms = []

    class Norms(RobustTuner):
        def on_before_optimizer_step(self, optimizer: Any) -> None:
            gradients = [p.grad for p in self.parameters() if p.grad is not None]
            norms.append(float(torch.nn.utils.get_total_norm(gradients)))

        def optimizer_step(self, *arguments: Any, **settings: Any) -> None:
            super().optimizer_step(*arguments, **settings)
            gradients = [p.grad for p in self.parameters() if p.grad is not None]
            norms.append(float(torch.nn.utils.get_total_norm(gradients)))

    tuner = Norms(10, FullFineTuning(), backbone=TINY)
    trainer = make_trainer(tmp_path, max_steps=2, max_epochs=-1, gradient_clip_val=0.05)
    trainer.fit(tuner, datamodule=make_data())
    assert min(norms[0::2]) > 0.05
    assert np.array(norms[1::2]) == pytest.approx(0.05, rel=1e-3)


@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_weights_of_another_precision_are_refused(precision: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"trainer.precision is {precision}.*bf16-mixed"):
        fit(tmp_path, {"precision": precision})
