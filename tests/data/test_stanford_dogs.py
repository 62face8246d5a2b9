from pathlib import Path
from typing import Any

import pytest
from scipy.io import loadmat, savemat

from robust_tuning.data import StanfordDogs
from robust_tuning.errors import DataError
from tests.data.small_benchmarks import lay_out
from tests.layouts import lay_out_stanford_dogs
from tests.material import real_dogs


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    return {"num_workers": 0, **lay_out(StanfordDogs, tmp_path)}


def rewrite(path: Path, **changes: Any) -> None:
    table = {key: value for key, value in loadmat(path).items() if not key.startswith("__")}
    savemat(path, {**table, **changes})


def test_sizes_are_known_before_anything_is_there() -> None:
    data = StanfordDogs("nowhere")
    assert data.num_classes == 120
    assert data.split_sizes == {"train": 10_800, "validation": 1_200, "test": 8_580}
    assert data.class_names[0] == "Chihuahua"


def test_lists_decide_splits_and_labels(settings: dict[str, Any], tmp_path: Path) -> None:
    data = StanfordDogs(**settings)
    train = {f"Images/{row[0][0]}" for row in loadmat(tmp_path / "train_list.mat")["file_list"]}
    assert {*data.identities("train"), *data.identities("validation")} == train
    for split in ("train", "validation", "test"):
        names = [file.split("/")[1].partition("-")[2] for file in data.identities(split)]
        assert names == [data.class_names[label] for label in data.labels(split)]


def test_a_list_of_one_image_is_a_list(settings: dict[str, Any], tmp_path: Path) -> None:
    table = loadmat(tmp_path / "test_list.mat")
    rewrite(
        tmp_path / "test_list.mat", file_list=table["file_list"][:1], labels=table["labels"][:1]
    )
    settings["expected"]["test"] = 1
    assert len(StanfordDogs(**settings).identities("test")) == 1


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_a_damaged_list_is_named(settings: dict[str, Any], tmp_path: Path, damage: str) -> None:
    path = tmp_path / "train_list.mat"
    content = path.read_bytes()
    path.write_bytes({"cut": content[:200], "text": b"<html>", "empty": b""}[damage])
    with pytest.raises(DataError, match=r"train_list\.mat is no list of Stanford Dogs"):
        StanfordDogs(**settings).prepare_data()


def test_a_list_without_labels_is_named(settings: dict[str, Any], tmp_path: Path) -> None:
    savemat(tmp_path / "train_list.mat", {"file_list": ["x"]})
    with pytest.raises(
        DataError, match=r"train_list\.mat is no list of Stanford Dogs \('labels'\)"
    ):
        StanfordDogs(**settings).prepare_data()


def test_a_list_of_too_few_labels_is_named(settings: dict[str, Any], tmp_path: Path) -> None:
    table = loadmat(tmp_path / "train_list.mat")
    rewrite(tmp_path / "train_list.mat", labels=table["labels"][:-1])
    with pytest.raises(DataError, match=r"train_list\.mat names 60 images and 59 labels"):
        StanfordDogs(**settings).prepare_data()


@pytest.mark.parametrize("label", [0, 121])
def test_labels_out_of_range_are_refused(
    settings: dict[str, Any], tmp_path: Path, label: int
) -> None:
    labels = loadmat(tmp_path / "train_list.mat")["labels"]
    labels[3] = label
    rewrite(tmp_path / "train_list.mat", labels=labels)
    with pytest.raises(DataError, match=rf"train_list\.mat: 1 labels .*such as {label}"):
        StanfordDogs(**settings).prepare_data()


def test_an_image_in_both_lists_is_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    table = loadmat(tmp_path / "train_list.mat")
    files = loadmat(tmp_path / "test_list.mat")["file_list"]
    files[0] = table["file_list"][0]
    rewrite(tmp_path / "test_list.mat", file_list=files)
    with pytest.raises(DataError, match=r"in train_list\.mat and in test_list\.mat"):
        StanfordDogs(**settings).prepare_data()


def test_lists_without_images_are_not_enough(settings: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "Images").rename(tmp_path / "images")
    with pytest.raises(DataError, match=r"images\.tar \(793,579,520 bytes"):
        StanfordDogs(**settings).prepare_data()


@pytest.mark.real_data
def test_real_dogs_in_the_official_layout(real_data: Path, tmp_path: Path) -> None:
    counts = lay_out_stanford_dogs(real_dogs(real_data), tmp_path)
    data = StanfordDogs(str(tmp_path), expected={"train": counts.train, "test": counts.test})
    assert data.split_sizes == {"train": 1080, "validation": 120, "test": 600}
    assert len(set(data.labels("validation"))) == 20
