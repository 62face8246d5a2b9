from pathlib import Path

import numpy as np
import pytest

from robust_tuning.data.domain_layout import is_cut, read_domain, trained_classes
from robust_tuning.data.listing import Listing
from robust_tuning.errors import DataError
from robust_tuning.types import Split

CLASSES = ("ant", "bee", "cat")


def fill(folder: Path, n: int, *names: str) -> None:
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(n):
            (folder / name / f"{number:03d}.jpg").touch()


def read(home: Path, domain: str = "photo", test: float = 0.2) -> dict[Split, Listing]:
    return read_domain(home, domain, CLASSES, test, 0.25)


@pytest.mark.parametrize(
    ("folders", "cut"),
    [
        (["train/ant", "test/ant"], True),
        (["train/ant", "validation/ant", "test/ant"], True),
        (["test/ant"], True),
        (["train/ant", "test"], True),
        (["ant", "bee"], False),
        (["ant", "train"], False),
        (["test", "train"], False),
        (["ant", ".train/bee"], False),
    ],
)
def test_folders_of_splits_hold_folders_of_classes(
    folders: list[str], cut: bool, tmp_path: Path
) -> None:
    fill(tmp_path, 1, *folders)
    assert is_cut(tmp_path) is cut


@pytest.mark.parametrize(
    ("folders", "told"),
    [
        (["train/ant", "test/ant", "bee"], "holds train, test beside bee; expected DOMAIN/train"),
        (["train/0", "test/0", "full/0", "crossval/0"], "holds train, test beside crossval, full"),
        ([], "holds no folders; expected DOMAIN/train"),
        ([".git"], "holds no folders"),
    ],
)
def test_neither_layout_is_refused(folders: list[str], told: str, tmp_path: Path) -> None:
    fill(tmp_path, 1, *folders)
    with pytest.raises(DataError, match=f"{tmp_path} {told}"):
        is_cut(tmp_path)


def test_the_classes_are_those_to_train_on(tmp_path: Path) -> None:
    fill(tmp_path / "cut", 1, "train/bee", "train/ant", "test/cat", "train/.cache")
    fill(tmp_path / "whole", 1, "bee", "train")
    assert trained_classes(tmp_path / "cut") == ["ant", "bee"]
    assert trained_classes(tmp_path / "whole") == ["bee", "train"]


def test_a_domain_that_is_cut_keeps_its_splits(tmp_path: Path) -> None:
    fill(tmp_path / "photo" / "train", 8, *CLASSES)
    fill(tmp_path / "photo" / "test", 3, "cat", "ant")
    parts = read(tmp_path)
    assert {split: np.bincount(part.labels).tolist() for split, part in parts.items()} == {
        "train": [6, 6, 6],
        "validation": [2, 2, 2],
        "test": [3, 0, 3],
    }
    for split, folder in (("train", "train"), ("validation", "train"), ("test", "test")):
        part = parts[split]  # type: ignore[index]  # of the splits
        expected = [f"photo/{folder}/{CLASSES[label]}" for label in part.labels]
        assert [file.rpartition("/")[0] for file in part.files] == expected


def test_a_validation_folder_is_used_where_there_is_one(tmp_path: Path) -> None:
    fill(tmp_path / "photo" / "train", 8, *CLASSES)
    fill(tmp_path / "photo" / "validation", 2, "bee")
    parts = read(tmp_path)
    assert (len(parts["train"]), len(parts["validation"])) == (24, 2)
    assert parts["validation"].labels.tolist() == [1, 1]
    assert "test" not in parts


def test_a_domain_that_is_only_tested_has_no_other_split(tmp_path: Path) -> None:
    fill(tmp_path / "photo" / "test", 3, *CLASSES)
    assert set(read(tmp_path)) == {"test"}


def test_a_domain_that_is_not_cut_is_parted_by_class(tmp_path: Path) -> None:
    fill(tmp_path / "photo", 20, "ant", "cat")
    parts = read(tmp_path)
    assert {split: np.bincount(part.labels).tolist() for split, part in parts.items()} == {
        "test": [4, 0, 4],
        "validation": [4, 0, 4],
        "train": [12, 0, 12],
    }
    files = [file for part in parts.values() for file in part.files]
    assert len(set(files)) == len(files) == 40


def test_validation_and_test_are_chosen_independently(tmp_path: Path) -> None:
    fill(tmp_path / "photo", 200, "ant", "bee")
    few, many = read(tmp_path, test=0.2), read(tmp_path, test=0.5)
    assert set(few["test"].files) < set(many["test"].files)
    # One order for both would put the next in line, all of it, into the validation.
    overlap = set(few["validation"].files) & set(many["test"].files)
    assert 0.2 < len(overlap) / len(few["validation"]) < 0.6


def test_an_index_depends_on_the_path_alone(tmp_path: Path) -> None:
    def numbered() -> dict[str, int]:
        parts = read(tmp_path).values()
        return {f: int(i) for x in parts for f, i in zip(x.files, x.indices, strict=True)}

    fill(tmp_path / "photo", 10, "bee", "cat")
    before = numbered()
    fill(tmp_path / "photo", 20, "ant")
    fill(tmp_path / "comic", 5, "ant")
    after = numbered()
    assert before.items() < after.items()
    assert len(set(after.values())) == 40
    assert min(after.values()) >= 0
    # For ever: random starts and corruptions of stored results hang on it.
    assert after["photo/bee/000.jpg"] == 6550454162657590660


def test_only_images_in_class_folders_count(tmp_path: Path) -> None:
    fill(tmp_path / "photo", 10, "ant", "bee", "ant/more", ".hidden", "ant/.cache")
    for name in ("photo/stray.jpg", "photo/ant/notes.txt", "photo/ant/._000.jpg", "photo/.x.jpg"):
        (tmp_path / name).touch()
    files = [file for part in read(tmp_path).values() for file in part.files]
    assert len(files) == 30
    assert sum(file.startswith("photo/ant/more/") for file in files) == 10


@pytest.mark.parametrize("folder", ["photo/test/wasp", "photo/train/wasp", "photo/validation/wasp"])
def test_a_class_that_is_not_trained_is_named(folder: str, tmp_path: Path) -> None:
    fill(tmp_path / "photo" / "train", 8, *CLASSES)
    fill(tmp_path / "photo" / "test", 3, *CLASSES)
    (tmp_path / folder).mkdir(parents=True)
    told = f"{Path(folder).parent} holds classes that no domain trained on has: wasp; train on"
    with pytest.raises(DataError, match=told):
        read(tmp_path)


def test_a_class_that_is_not_trained_is_named_without_splits_too(tmp_path: Path) -> None:
    fill(tmp_path / "photo", 8, *CLASSES, "wasp", "elk")
    with pytest.raises(DataError, match=r"/photo holds classes .* has: elk, wasp; train on"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("folders", "empty"),
    [
        (["photo/ant", "photo/bee"], "photo"),
        (["photo/train/ant", "photo/test/ant"], "photo/train"),
    ],
)
def test_a_folder_without_images_is_named(folders: list[str], empty: str, tmp_path: Path) -> None:
    fill(tmp_path, 0, *folders)
    with pytest.raises(DataError, match=rf"/{empty} holds no images; expected DOMAIN/train"):
        read(tmp_path)
