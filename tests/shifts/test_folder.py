from pathlib import Path
from typing import Any

import pytest

from robust_tuning.data import CIFAR10, ImageFolder
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.plugins import from_spec, spec_of
from robust_tuning.shifts import FolderShift
from robust_tuning.types import ImageInput
from tests.data.damage import encoded, noise
from tests.material import real_cifar

COUNTS = {"cat": 3, "hound": 4, "monkey": 2, "ship": 0}
MAP = "hound: dog\nmonkey: null\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, count in COUNTS.items():
        (tmp_path / "new" / name).mkdir(parents=True)
        for number in range(count):
            path = tmp_path / "new" / name / f"{number}.jpg"
            path.write_bytes(encoded(noise(number, side=40)))
    return tmp_path / "new"


@pytest.fixture
def labels(tmp_path: Path) -> str:
    (tmp_path / "map.yaml").write_text(MAP)
    return str(tmp_path / "map.yaml")


@pytest.fixture
def cifar() -> CIFAR10:
    source = CIFAR10("x")
    source.match(ImageInput(size=24))
    return source


def test_folders_become_classes_and_places_become_indices(
    root: Path, labels: str, cifar: CIFAR10
) -> None:
    [only] = FolderShift(str(root), labels=labels).sets(cifar, "validation", None)
    examples: Any = only.examples
    found = [examples[place] for place in range(len(examples))]
    assert [int(b.indices) for b in found] == list(range(7))
    assert [cifar.class_names[int(b.labels)] for b in found] == ["cat"] * 3 + ["dog"] * 4
    assert {tuple(b.images.shape) for b in found} == {(3, 24, 24)}
    assert only.key == "new"
    assert only.settings["labels"] == {
        **{"cat": "cat", "hound": "dog"},
        **{"monkey": None, "ship": "ship"},
    }
    first = next(path for path in root.rglob("*") if path.suffix in (".png", ".jpg"))
    first.rename(first.with_stem("another"))
    [other] = FolderShift(str(root), labels=labels).sets(cifar, "validation", None)
    assert other.settings["images"] != only.settings["images"]


def test_an_index_does_not_depend_on_what_is_left_out(
    root: Path, tmp_path: Path, cifar: CIFAR10
) -> None:
    (tmp_path / "other.yaml").write_text("hound: null\nmonkey: frog\n")
    shift = FolderShift(str(root), labels=str(tmp_path / "other.yaml"))
    examples: Any = shift.sets(cifar, "test", None)[0].examples
    assert [int(examples[i].indices) for i in range(5)] == [0, 1, 2, 7, 8]


def test_what_is_odd_is_told(root: Path, labels: str, cifar: CIFAR10) -> None:
    (root / "notes.txt").write_text("mine")
    (root / "cat" / "list.csv").write_text("1,2")
    [only] = FolderShift(str(root), labels=labels, masked=True).sets(cifar, "test", None)
    assert only.findings == [
        "2 images of 1 classes without a counterpart are left out ('monkey')",
        "1 classes have no images ('ship')",
        "7 classes of the benchmark do not occur and are masked ('airplane', 'automobile', "
        "'bird', 'deer', 'frog' and 2 more)",
        "2 files are no images in folders ('cat/list.csv' and more)",
    ]
    assert only.labels.answers == (3, 5, 8)


def test_a_subset_is_chosen_by_names(root: Path, labels: str, cifar: CIFAR10) -> None:
    shift = FolderShift(str(root), labels=labels)
    few, more = (shift.sets(cifar, "test", n)[0].examples for n in (2, 5))
    assert few.indices.tolist() == more.indices[:2].tolist()  # type: ignore[attr-defined]
    (root / "cat" / "00.jpg").write_bytes(encoded(noise(9)))
    again = shift.sets(cifar, "test", 8)[0].examples
    assert [f for f in again.files if f in set(more.files)] == list(more.files)  # type: ignore[attr-defined]
    with pytest.raises(DataError, match=r"9 .* the shifted set new of CIFAR10 has 8"):
        shift.sets(cifar, "test", 9)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("monkey: null\n", r"'hound' would become 'hound', which is no class of the benchmark"),
        ("hound: dgo\nmonkey: null\n", "did you mean 'dog'"),
        ("huond: dog\nmonkey: null\n", r"names 'huond', which the set .*did you mean 'hound'"),
        ("cat: null\nhound: null\nmonkey: null\nship: null\n", "leads to no class at all"),
        ("no: dog\n", "line 1: 'no' is a bool"),
    ],
)
def test_names_that_do_not_exist_are_errors(
    root: Path, tmp_path: Path, cifar: CIFAR10, content: str, said: str
) -> None:
    (tmp_path / "map.yaml").write_text(content)
    shift = FolderShift(str(root), labels=str(tmp_path / "map.yaml"))
    with pytest.raises(ConfigurationError, match=said) as error:
        shift.sets(cifar, "test", None)
    assert "no class at all" in said or "map.yaml" in str(error.value)


def test_without_a_map_folders_go_by_their_names(root: Path, cifar: CIFAR10) -> None:
    with pytest.raises(ConfigurationError, match=r"the folders of .*new: 'hound', 'monkey' would"):
        FolderShift(str(root)).label_map(cifar)
    for name in ("hound", "monkey"):
        (root / name).rename(root / {"hound": "dog", "monkey": "frog"}[name])
    assert FolderShift(str(root)).label_map(cifar).targets == (3, 5, 6, 8)


def test_images_that_are_all_left_out_are_no_set(
    root: Path, tmp_path: Path, cifar: CIFAR10
) -> None:
    (tmp_path / "map.yaml").write_text("cat: null\nhound: null\nmonkey: null\n")
    shift = FolderShift(str(root), labels=str(tmp_path / "map.yaml"))
    with pytest.raises(DataError, match="holds images of classes that are left out, and no others"):
        shift.sets(cifar, "test", None)


def test_a_broken_image_is_named_when_it_is_read(root: Path, labels: str, cifar: CIFAR10) -> None:
    whole = (root / "cat" / "1.jpg").read_bytes()
    (root / "cat" / "1.jpg").write_bytes(whole[: len(whole) // 2])
    examples: Any = FolderShift(str(root), labels=labels).sets(cifar, "test", None)[0].examples
    examples[0]
    with pytest.raises(DataError, match=r"cat/1\.jpg cannot be decoded"):
        examples[1]


def test_a_name_of_its_own_and_being_written_down(root: Path) -> None:
    shift = FolderShift(str(root), name="night", masked=True)
    assert shift.name == "night"
    assert spec_of(from_spec(spec_of(shift))) == spec_of(shift)
    assert FolderShift(str(root)).name == "new"


@pytest.mark.real_data
def test_real_photographs_are_shown_as_a_folder_benchmark_shows_them(
    real_data: Path, tmp_path: Path
) -> None:
    for number, picture in enumerate(real_cifar(real_data, "cifar10").of("test")[:60]):
        for half in ("train", "test"):
            folder = tmp_path / half / picture.label
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.png").write_bytes(picture.content)
    source = ImageFolder(str(tmp_path), num_workers=0)
    source.match(ImageInput(size=28, crop_fraction=0.9))
    own: Any = source.dataset("test")
    found: Any = FolderShift(str(tmp_path / "test")).sets(source, "test", None)[0].examples
    assert len(own) == len(found) == 60
    for place in range(60):
        assert (own[place].images == found[place].images).all()
        assert own[place].labels == found[place].labels
