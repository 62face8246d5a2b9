import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robust_tuning.data import Caltech256
from robust_tuning.data.class_lists import read_counts
from robust_tuning.errors import DataError
from tests.data.small_benchmarks import lay_out
from tests.layouts import lay_out_caltech256
from tests.material import real_caltech256


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    return {"num_workers": 0, **lay_out(Caltech256, tmp_path)}


def folder(root: Path) -> Path:
    return root / "256_ObjectCategories"


def empty_images(root: Path) -> None:
    """Every official name, with nothing in the files."""
    for name, count in read_counts("caltech256").items():
        (folder(root) / name).mkdir(parents=True)
        for number in range(1, count + 1):
            (folder(root) / name / f"{name[:3]}_{number:04d}.jpg").touch()


def test_sizes_are_known_before_anything_is_there() -> None:
    data = Caltech256("nowhere")
    assert data.num_classes == 256
    assert data.split_sizes == {"train": 24_122, "validation": 2_680, "test": 2_978}
    assert data.class_names[:1] == ("ak47",)
    assert data.class_names[-1] == "toad"
    with_clutter = Caltech256("nowhere", clutter=True)
    assert with_clutter.num_classes == 257
    assert sum(with_clutter.split_sizes.values()) == 30_607
    assert with_clutter.benchmark == "Caltech256-clutter"


def test_the_official_names_give_the_stated_split(tmp_path: Path) -> None:
    empty_images(tmp_path)
    data = Caltech256(str(tmp_path))
    found = {split: len(data.identities(split)) for split in data.split_sizes}
    assert found == data.split_sizes
    counts = np.array(list(read_counts("caltech256").values())[:256])
    shares = {"train": 0.81, "validation": 0.09, "test": 0.1}
    for split, listing in data.split_listings.items():
        of_class = np.bincount(listing.labels, minlength=256)
        assert np.abs(of_class - shares[split] * counts).max() < 3.2
    assert sorted(np.concatenate([x.indices for x in data.split_listings.values()])) == list(
        range(29_780)
    )


def test_the_split_is_the_same_for_ever(tmp_path: Path) -> None:
    empty_images(tmp_path)
    data = Caltech256(str(tmp_path))
    # Fixed by the names alone: another answer would make earlier results incomparable.
    names = "\n".join(data.identities("test")) + "\n" + "\n".join(data.identities("validation"))
    assert hashlib.sha256(names.encode()).hexdigest().startswith("f6471f831125c58c")


def test_missing_and_surplus_images_are_named(tmp_path: Path) -> None:
    empty_images(tmp_path)
    (folder(tmp_path) / "002.american-flag" / "002_0097.jpg").unlink()
    (folder(tmp_path) / "003.backpack" / "003_0152.jpg").touch()
    with pytest.raises(
        DataError,
        match=r"lacks 1 images \(002\.american-flag/002_0097\.jpg\) "
        r"and has a surplus of 1 images \(003\.backpack/003_0152\.jpg\)",
    ):
        Caltech256(str(tmp_path)).prepare_data()


def test_a_class_without_images_is_named(tmp_path: Path) -> None:
    empty_images(tmp_path)
    for path in (folder(tmp_path) / "005.baseball-glove").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"lacks 148 images \(005\.baseball-glove/005_0001\.jpg"):
        Caltech256(str(tmp_path)).prepare_data()


def test_only_images_of_the_classes_count(settings: dict[str, Any], tmp_path: Path) -> None:
    assert (folder(tmp_path) / "198.spider" / "RENAME2").exists()
    (folder(tmp_path) / "001.ak47" / "002_0001.jpg").touch()  # of another class by its name
    (folder(tmp_path) / "001.ak47" / "001_0001.jpg~").touch()
    data = Caltech256(**settings)
    assert sum(len(data.identities(split)) for split in data.split_sizes) == 360
    assert set(data.labels("train")) == {0, 1, 2}


def test_clutter_is_a_class_only_when_asked_for(settings: dict[str, Any]) -> None:
    plain = Caltech256(**settings)
    settings["expected"] = {"all": 480}
    with_clutter = Caltech256(**settings, clutter=True)
    assert set(with_clutter.labels("train")) == {0, 1, 2, 256}
    number = {
        f: int(i)
        for listing in with_clutter.split_listings.values()
        for f, i in zip(listing.files, listing.indices, strict=True)
    }
    test = plain.split_listings["test"]
    assert [number[file] for file in test.files] == test.indices.tolist()


def test_the_root_may_be_the_folder_itself(settings: dict[str, Any], tmp_path: Path) -> None:
    inside = Caltech256(**{**settings, "root": str(folder(tmp_path))})
    assert inside.identities("test") == Caltech256(**settings).identities("test")


@pytest.mark.real_data
def test_photographs_in_the_official_layout(real_data: Path, tmp_path: Path) -> None:
    lay_out_caltech256(real_caltech256(real_data), tmp_path)
    data = Caltech256(str(tmp_path), expected={"all": 1795})
    assert sum(data.split_sizes.values()) == 1795
    batch = next(iter(data.test_dataloader()))
    assert batch.images.shape[1:] == (3, 224, 224)
    assert 0.25 < float(batch.images.float().mean()) / 255 < 0.7
