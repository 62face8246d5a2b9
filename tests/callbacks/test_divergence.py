from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch

from robust_tuning.__main__ import main
from robust_tuning.callbacks.divergence import StopAtDivergence
from robust_tuning.errors import DivergenceError
from robust_tuning.frontier import read_points
from tests.runs import make_data, make_trainer, make_tuner


@pytest.mark.parametrize("lost", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_training(
    lost: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuner = make_tuner()
    step: Any = tuner.training_step
    monkeypatch.setattr(
        tuner,
        "training_step",
        lambda batch, batch_idx: step(batch, batch_idx) * (lost if tuner.global_step == 3 else 1),
    )
    trainer = make_trainer(tmp_path, StopAtDivergence(), max_epochs=3)
    with pytest.raises(DivergenceError, match=r"not finite at step 4: lower model\.lr"):
        trainer.fit(tuner, datamodule=make_data())
    assert trainer.global_step == 4


def looks(losses: list[float], *, device: str, scaler: object = None) -> int:
    """After how many batches it stops; all of them where it does not."""
    callback = StopAtDivergence()
    for place, loss in enumerate(losses):
        trainer = Namespace(
            is_last_batch=place == len(losses) - 1,
            global_step=place + 1,
            max_steps=-1,
            strategy=Namespace(reduce_boolean_decision=lambda lost, **_: lost),
            precision_plugin=Namespace(scaler=scaler),
        )
        module = Namespace(device=torch.device(device))
        try:
            callback.on_train_batch_end(
                trainer,  # type: ignore[arg-type]  # what it asks of one
                module,  # type: ignore[arg-type]  # likewise
                {"loss": torch.tensor(loss)},
                None,
                place,
            )
        except DivergenceError:
            return place + 1
    return len(losses)


def test_a_gpu_is_looked_at_now_and_then_and_at_the_end() -> None:
    nan = float("nan")
    assert looks([1.0] * 5 + [nan] * 60, device="cuda") == 21
    assert looks([1.0] * 30 + [nan] * 3, device="cuda") == 33
    assert looks([1.0] * 5 + [nan] + [1.0] * 60, device="cpu") == 6


def test_a_gradient_scaler_may_leave_out_some_steps() -> None:
    nan = float("nan")
    assert looks([nan, 1.0] * 30, device="cpu", scaler=object()) == 60
    assert looks([1.0] + [nan] * 60, device="cpu", scaler=object()) == 21


def test_a_run_that_diverges_fails_and_keeps_what_it_has_measured(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["fit", "--config", "configs/quickstart.yaml", "--run", str(tmp_path / "run")]
    words += ["--model.lr", "1e30", "--trainer.max_steps", "8", "--adversarial.n", "20"]
    assert main(words) == 1
    assert "the training loss is not finite" in capfd.readouterr().err
    assert [point.step for point in read_points(tmp_path / "run")][:1] == [0]
