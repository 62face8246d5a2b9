"""Checkpoints on the disk: whole or as before, and nothing runs when one is read."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins import TorchCheckpointIO

from robust_tuning.callbacks.checkpoint_files import (
    CheckpointFiles,
    read_checkpoint,
    with_safe_checkpoints,
)
from robust_tuning.errors import DataError, WeightsError
from robust_tuning.frontier import read_points
from robust_tuning.tuner import RobustTuner
from tests.cli.conftest import QUICK, Command
from tests.cli.conftest import command as command
from tests.cli.test_run_folder import Malicious
from tests.test_resume import rows

CONTENT = {"state_dict": {"w": torch.arange(3.0)}, "epoch": 2}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one["epoch"] == other["epoch"] and torch.equal(
        one["state_dict"]["w"], other["state_dict"]["w"]
    )


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    files = CheckpointFiles()
    path = tmp_path / "new" / "last.ckpt"
    files.save_checkpoint(CONTENT, path)
    assert same(files.load_checkpoint(path), CONTENT)
    assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failure_before_the_renaming_leaves_what_was_there(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    files, path = CheckpointFiles(), tmp_path / "last.ckpt"
    files.save_checkpoint(CONTENT, path)
    before = path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), fails)
        with pytest.raises(DataError, match=r"saving a checkpoint failed .* free some space"):
            files.save_checkpoint({**CONTENT, "epoch": 3}, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_it_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    for owner, name in ((os, "fsync"), (Path, "replace")):
        real = getattr(owner, name)

        def noting(*arguments: Any, name: str = name, real: Any = real) -> Any:
            done.append(name)
            return real(*arguments)

        monkeypatch.setattr(owner, name, noting)
    CheckpointFiles().save_checkpoint(CONTENT, tmp_path / "last.ckpt")
    assert done == ["fsync", "replace", "fsync"]  # the file, its name, the folder


@pytest.mark.parametrize("weights_only", [None, False, True])
def test_nothing_runs_whatever_is_asked_for(weights_only: bool | None, tmp_path: Path) -> None:
    proof = tmp_path / "executed"
    torch.save({"state_dict": {}, "extra": Malicious(proof)}, tmp_path / "x.ckpt")
    with pytest.raises(WeightsError, match="cannot be read"):
        CheckpointFiles().load_checkpoint(tmp_path / "x.ckpt", weights_only=weights_only)
    assert not proof.exists()


def test_a_file_cut_off_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    CheckpointFiles().save_checkpoint(CONTENT, path)
    path.write_bytes(path.read_bytes()[:-100])
    for read in (CheckpointFiles().load_checkpoint, read_checkpoint):
        with pytest.raises(WeightsError, match=r"x\.ckpt cannot be read"):
            read(path)
    with pytest.raises(WeightsError, match=r"none\.ckpt cannot be read"):
        read_checkpoint(tmp_path / "none.ckpt")


def test_a_way_of_ones_own_is_kept() -> None:
    own = TorchCheckpointIO()
    assert with_safe_checkpoints([own]) == [own]
    for plugins in (None, [], ()):
        [files] = with_safe_checkpoints(plugins)
        assert isinstance(files, CheckpointFiles)
    assert isinstance(
        Trainer(logger=False, plugins=[files]).strategy.checkpoint_io, CheckpointFiles
    )


def test_a_full_disk_ends_the_run_and_spares_what_is_on_it(
    command: Command, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robust_tuning.cli.train.announce_summary", lambda _: None)  # takes longer
    quick = (*QUICK, "--trainer.max_epochs", "2", "--checkpoint.every_n_train_steps", "1")
    assert command(*quick, "--run", "whole").status == 0
    folder, filler = small_disk / "run", small_disk / "filler"
    real = RobustTuner.training_step

    def filling(self: RobustTuner, *arguments: Any) -> Any:
        if self.global_step == 4:
            with suppress(OSError), filler.open("wb", 0) as file:
                while file.write(bytes(4096)):
                    pass
        return real(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(RobustTuner, "training_step", filling)
        answer = command(*quick, "--run", str(folder))
    assert answer.status == 1
    assert answer.err.count("\n") == 1
    for expected in ("saving a checkpoint failed", "No space left on device", "free some space"):
        assert expected in answer.err
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt")["global_step"] == 4
    assert [point.step for point in read_points(folder)] == [0, 2]
    assert (folder / "frontier.jsonl").read_bytes().endswith(b"\n")
    filler.unlink()
    assert command(*quick, "--run", str(folder), "--ckpt_path", "last").status == 0
    assert rows(folder) == rows(Path("whole"))
