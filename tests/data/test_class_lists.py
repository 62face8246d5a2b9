import re
from pathlib import Path

import numpy as np
import pytest

from robust_tuning.data.class_lists import read_classes, read_counts

NAMES = ["caltech256", "cifar10", "cifar100", "cub200", "domainnet", "stanford_dogs"]


@pytest.mark.parametrize(
    ("name", "n", "first", "last"),
    [
        ("caltech256", 257, "001.ak47", "257.clutter"),
        ("cifar10", 10, "airplane", "truck"),
        ("cifar100", 100, "apple", "worm"),
        ("cub200", 200, "001.Black_footed_Albatross", "200.Common_Yellowthroat"),
        ("domainnet", 345, "aircraft_carrier", "zigzag"),
        ("stanford_dogs", 120, "n02085620-Chihuahua", "n02116738-African_hunting_dog"),
    ],
)
def test_lists_are_whole(name: str, n: int, first: str, last: str) -> None:
    classes = read_classes(name)
    assert len(classes) == len(set(classes)) == n
    assert (classes[0], classes[-1]) == (first, last)


@pytest.mark.parametrize("name", NAMES)
def test_names_are_clean(name: str) -> None:
    assert all(re.fullmatch(r"[\w.'-]+", label) for label in read_classes(name))


@pytest.mark.parametrize("name", ["caltech256", "cub200"])
def test_numbered_folders_count_from_one(name: str) -> None:
    assert [int(folder[:3]) for folder in read_classes(name)] == [
        label + 1 for label in range(len(read_classes(name)))
    ]


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"domainnet"}))
def test_most_orders_are_sorted(name: str) -> None:
    assert list(read_classes(name)) == sorted(read_classes(name))


def test_domainnet_is_in_no_sorted_order() -> None:
    # Labels follow the numbers in the file names; how many would go wrong was counted elsewhere.
    classes = read_classes("domainnet")
    assert sum(a != b for a, b in zip(classes, sorted(classes), strict=True)) == 328
    folded = sorted(classes, key=str.casefold)
    assert sum(a != b for a, b in zip(classes, folded, strict=True)) == 31


@pytest.mark.parametrize(
    ("name", "label", "spelling"),
    [
        ("cifar100", 26, "crab"),  # "cra" in widely copied lists
        ("cub200", 140, "141.Artic_Tern"),  # the archive's own spelling
        ("cub200", 21, "022.Chuck_will_Widow"),
        ("caltech256", 55, "056.dog"),
        ("domainnet", 327, "t-shirt"),
        ("domainnet", 300, "syringe"),
    ],
)
def test_spellings_are_the_archives(name: str, label: int, spelling: str) -> None:
    assert read_classes(name)[label] == spelling


def test_caltech_counts() -> None:
    counts = read_counts("caltech256")
    assert tuple(counts) == read_classes("caltech256")
    assert sum(counts.values()) == 30_607
    assert counts["257.clutter"] == 827
    assert counts["198.spider"] == 108  # and not the 109 files of the folder
    assert max(
        (folder for folder in counts if folder != "257.clutter"), key=counts.__getitem__
    ) == ("251.airplanes-101")
    assert min(counts.values()) == 80


def test_a_list_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        read_classes("imagenet")


@pytest.mark.real_data
def test_the_real_files_know_the_same_names(real_data: Path) -> None:
    with np.load(real_data / "cifar10_lossless_train4000_test1000.npz") as archive:
        assert tuple(archive["classes"].tolist()) == read_classes("cifar10")
