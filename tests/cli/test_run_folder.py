from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from robust_tuning.cli.run_folder import (
    free_folder,
    latest_folder,
    resolve_checkpoint,
    stored_wandb_id,
)
from robust_tuning.errors import ConfigurationError, WeightsError


def test_names_are_numbered_from_the_second_on(tmp_path: Path) -> None:
    taken = [free_folder(tmp_path / "runs", "run") for _ in range(3)]
    assert all(folder.is_dir() for folder in taken)
    assert [folder.name for folder in taken] == ["run", "run-2", "run-3"]
    assert latest_folder(tmp_path / "runs", "run") == taken[-1]


def test_runs_that_begin_at_once_get_a_folder_each(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: free_folder(tmp_path, "run"), range(40)))
    assert len(set(taken)) == 40


def test_the_latest_of_none_is_the_first(tmp_path: Path) -> None:
    assert latest_folder(tmp_path, "run") == tmp_path / "run"
    (tmp_path / "run").mkdir()
    (tmp_path / "run-old").mkdir()
    assert latest_folder(tmp_path, "run") == tmp_path / "run"


def test_checkpoints_by_name(tmp_path: Path) -> None:
    assert resolve_checkpoint(None, tmp_path) is None
    assert resolve_checkpoint("last", tmp_path) is None
    with pytest.raises(ConfigurationError, match=r"best\.ckpt"):
        resolve_checkpoint("best", tmp_path)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("last", "best", "best-v1", "other"):
        (folder / f"{name}.ckpt").touch()
    assert resolve_checkpoint("last", tmp_path) == str(folder / "last.ckpt")
    assert resolve_checkpoint("best", tmp_path) == str(folder / "best.ckpt")
    other = str(folder / "other.ckpt")
    assert resolve_checkpoint(other, tmp_path / "elsewhere") == other
    with pytest.raises(ConfigurationError, match="`last` or `best`"):
        resolve_checkpoint(str(folder), tmp_path)


def test_the_id_at_wandb_is_read_from_a_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "x.ckpt"
    for content, expected in (
        ({"wandb_id": "abc"}, "abc"),
        ({"state_dict": {"w": torch.zeros(3)}}, None),
    ):
        torch.save(content, file)
        assert stored_wandb_id(str(file), tmp_path) == expected


def test_a_run_without_a_checkpoint_goes_on_with_what_it_began_at_wandb(tmp_path: Path) -> None:
    assert stored_wandb_id(None, tmp_path) is None
    for name in (
        "offline-run-20261126_105432-first",
        "run-20261126_115432-second-run-1",
        "offline-run-20251231_235959-older",
    ):
        (tmp_path / "wandb" / name).mkdir(parents=True)
    (tmp_path / "wandb" / "latest-run").symlink_to(tmp_path)
    assert stored_wandb_id(None, tmp_path) == "second-run-1"
    torch.save({"state_dict": {}}, tmp_path / "x.ckpt")
    assert stored_wandb_id(str(tmp_path / "x.ckpt"), tmp_path) == "second-run-1"


class Malicious:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.proof,)  # type: ignore[return-value]  # what a pickle may do


def test_a_checkpoint_that_would_run_code_is_refused_unexecuted(tmp_path: Path) -> None:
    proof = tmp_path / "executed"
    torch.save({"wandb_id": Malicious(proof)}, tmp_path / "x.ckpt")
    with pytest.raises(WeightsError, match="cannot be read"):
        stored_wandb_id(str(tmp_path / "x.ckpt"), tmp_path)
    assert not proof.exists()
    torch.load(tmp_path / "x.ckpt", weights_only=False)
    assert proof.exists(), "the pickle was harmless: this test proves nothing"


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "x.ckpt")
    with pytest.raises(WeightsError, match="holds a list, expected a dictionary"):
        stored_wandb_id(str(tmp_path / "x.ckpt"), tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x02garbage", b"words"])
def test_a_damaged_checkpoint_is_named_in_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.ckpt"
    file.write_bytes(content)
    with pytest.raises(WeightsError) as error:
        stored_wandb_id(str(file), tmp_path)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)
