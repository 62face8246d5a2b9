import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robust_tuning.data import CIFAR10, CIFAR100
from robust_tuning.data.cifar import Cifar
from robust_tuning.errors import ConfigurationError, DataError
from tests.data.small_benchmarks import lay_out
from tests.layouts import lay_out_cifar
from tests.material import CIFAR_ARRAYS, real_cifar

KINDS = (CIFAR10, CIFAR100)
FIRST = {CIFAR10: "cifar-10-batches-py/data_batch_1", CIFAR100: "cifar-100-python/train"}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> type[Cifar]:
    chosen: type[Cifar] = request.param
    return chosen


@pytest.fixture
def settings(kind: type[Cifar], tmp_path: Path) -> dict[str, Any]:
    return lay_out(kind, tmp_path)


def test_sizes_are_known_before_anything_is_there(kind: type[Cifar]) -> None:
    data = kind("nowhere")
    assert data.num_classes == (10 if kind is CIFAR10 else 100)
    assert data.split_sizes == {"train": 45_000, "validation": 5_000, "test": 10_000}


def test_images_travel_as_bytes_at_their_own_size(
    kind: type[Cifar], settings: dict[str, Any]
) -> None:
    batch = next(iter(kind(**settings, batch_size=4).train_dataloader()))
    assert batch.images.shape == (4, 3, 32, 32)
    assert batch.images.dtype == torch.uint8


def test_an_index_is_a_row_of_the_files(kind: type[Cifar], settings: dict[str, Any]) -> None:
    data = kind(**settings)
    train, test = settings["expected"]["train"], settings["expected"]["test"]
    both = [*data.dataset("train").indices, *data.dataset("validation").indices]  # type: ignore[attr-defined]  # a tensor
    assert sorted(int(i) for i in both) == list(range(train))
    assert data.dataset("test").indices.tolist() == list(range(train, train + test))  # type: ignore[attr-defined]  # a tensor
    assert data.identities("test")[0] == "test/0"


def test_files_of_another_checksum_are_refused(kind: type[Cifar], settings: dict[str, Any]) -> None:
    settings["expected"] = None
    with pytest.raises(DataError, match=r"has the MD5 \w{32}, expected \w{32}; .*data\.expected"):
        kind(**settings).setup("fit")


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_a_damaged_file_is_named(
    kind: type[Cifar], settings: dict[str, Any], tmp_path: Path, damage: str
) -> None:
    path = tmp_path / FIRST[kind]
    content = path.read_bytes()
    path.write_bytes({"cut": content[: len(content) // 2], "text": b"<html>", "empty": b""}[damage])
    with pytest.raises(DataError, match=rf"{path.name} is no file of CIFAR .*prepare"):
        kind(**settings).setup("fit")


def test_a_missing_file_is_named(
    kind: type[Cifar], settings: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / FIRST[kind]).unlink()
    with pytest.raises(DataError, match=r"cannot be read \(No such file or directory\)"):
        kind(**settings).setup("fit")


def test_another_number_of_images_is_refused(kind: type[Cifar], settings: dict[str, Any]) -> None:
    settings["expected"]["test"] += 1
    with pytest.raises(DataError, match=r"test lists \d+ images, expected \d+"):
        kind(**settings).setup("fit")


def test_labels_out_of_range_are_refused(tmp_path: Path) -> None:
    settings = lay_out(CIFAR10, tmp_path)
    path = tmp_path / FIRST[CIFAR10]
    table = pickle.loads(path.read_bytes(), encoding="bytes")
    table[b"labels"][0] = 10
    path.write_bytes(pickle.dumps(table))
    with pytest.raises(DataError, match=r"1 labels are not in 0 to 9, such as 10"):
        CIFAR10(**settings).setup("fit")


def test_the_root_may_be_the_folder_itself(
    kind: type[Cifar], settings: dict[str, Any], tmp_path: Path
) -> None:
    inside = {**settings, "root": str((tmp_path / FIRST[kind]).parent)}
    assert (kind(**inside).labels("train") == kind(**settings).labels("train")).all()


def test_missing_files_are_named(kind: type[Cifar], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cifar-100?-python\.tar\.gz \(1[67]\d,\d{3},\d{3} bytes"):
        kind(str(tmp_path)).prepare_data()


def test_a_fraction_out_of_range_is_refused(kind: type[Cifar]) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.validation_fraction is 0, expected"):
        kind("nowhere", validation_fraction=0)


@pytest.mark.real_data
def test_real_images_in_the_official_layout_are_those_of_the_arrays(
    real_data: Path, tmp_path: Path
) -> None:
    lay_out_cifar(real_cifar(real_data, "cifar10"), tmp_path, "cifar10")
    data = CIFAR10(str(tmp_path), expected={"train": 4000, "test": 1000})
    with np.load(real_data / CIFAR_ARRAYS) as arrays:
        expected, labels = arrays["x_test"], arrays["y_test"]
    test = data.load("test")
    assert (test.images.permute(0, 2, 3, 1).numpy() == expected).all()
    assert (test.labels.numpy() == labels).all()
