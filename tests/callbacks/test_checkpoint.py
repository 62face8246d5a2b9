from pathlib import Path

import pytest
import torch

from robust_tuning.callbacks.checkpoint import LastCheckpoint
from robust_tuning.errors import ConfigurationError
from tests.runs import make_data, make_trainer, make_tuner


def fit(folder: Path, every: int | None, **settings: int) -> list[int]:
    """Train two epochs of three batches; the steps at which `last.ckpt` was written."""
    saved: list[int] = []
    checkpoint = LastCheckpoint(str(folder / "checkpoints"), every)
    trainer = make_trainer(folder, checkpoint, max_epochs=2, enable_checkpointing=True, **settings)
    save = trainer.save_checkpoint

    def spy(path: Path, weights_only: bool | None = None) -> None:
        saved.append(trainer.global_step)
        save(path)

    trainer.save_checkpoint = spy  # type: ignore[method-assign, assignment]  # counts, then saves
    trainer.fit(make_tuner(), datamodule=make_data())
    return saved


def test_it_saves_at_the_end_of_every_epoch(tmp_path: Path) -> None:
    assert fit(tmp_path, None) == [3, 6]
    state = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["global_step"] == 6


def test_in_mid_epoch_too_but_once_at_the_last_batch_of_an_epoch(tmp_path: Path) -> None:
    assert fit(tmp_path, 1) == [1, 2, 3, 4, 5, 6]


def test_never_while_gradients_accumulate(tmp_path: Path) -> None:
    # Three batches by two: steps after the second batch and after the third, the epoch's last.
    assert fit(tmp_path, 1, accumulate_grad_batches=2) == [1, 2, 3, 4]


@pytest.mark.parametrize("every", [0, -5])
def test_a_number_of_steps_that_cannot_be_is_refused(every: int) -> None:
    with pytest.raises(ConfigurationError, match=f"every_n_train_steps is {every}"):
        LastCheckpoint("checkpoints", every)
