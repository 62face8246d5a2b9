from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robust_tuning.data import CUB200
from robust_tuning.errors import DataError
from tests.data.small_benchmarks import lay_out
from tests.layouts import lay_out_cub, pack
from tests.material import real_cub


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    return {"num_workers": 0, **lay_out(CUB200, tmp_path)}


def tables(root: Path) -> Path:
    return root / "CUB_200_2011"


def test_labels_count_from_zero_and_are_those_of_the_folders(settings: dict[str, Any]) -> None:
    data = CUB200(**settings)
    assert data.class_names[:2] == ("Black_footed_Albatross", "Laysan_Albatross")
    for split in ("train", "validation", "test"):
        numbers = [int(file.split("/")[1][:3]) for file in data.identities(split)]
        assert (data.labels(split) == np.array(numbers) - 1).all()


def test_the_split_is_the_official_one(settings: dict[str, Any], tmp_path: Path) -> None:
    data = CUB200(**settings)
    lines = (tables(tmp_path) / "train_test_split.txt").read_text().splitlines()
    flags = dict(line.split() for line in lines)
    for split, listing in data.split_listings.items():
        assert {flags[str(i + 1)] for i in listing.indices} == {"0" if split == "test" else "1"}


def test_the_root_may_be_the_folder_itself(settings: dict[str, Any], tmp_path: Path) -> None:
    inside = CUB200(**{**settings, "root": str(tables(tmp_path))})
    assert inside.identities("test") == CUB200(**settings).identities("test")


def test_an_archive_of_another_size_is_not_unpacked(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    pack(tmp_path / "CUB_200_2011.tgz", tables(tmp_path))
    with pytest.raises(DataError, match=r"CUB_200_2011\.tgz .*expected 1,150,585,339"):
        CUB200(**settings).prepare_data()
    assert not tables(tmp_path).exists()


@pytest.mark.parametrize("label", ["0", "201", "-3"])
def test_a_label_out_of_range_is_refused(
    settings: dict[str, Any], tmp_path: Path, label: str
) -> None:
    path = tables(tmp_path) / "image_class_labels.txt"
    path.write_text(path.read_text().replace("\n5 1\n", f"\n5 {label}\n"))
    with pytest.raises(DataError, match=rf"image_class_labels\.txt: 1 labels .*{label}"):
        CUB200(**settings).prepare_data()


def test_a_label_that_is_no_number_is_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    path = tables(tmp_path) / "image_class_labels.txt"
    path.write_text(path.read_text().replace("\n5 1\n", "\n5 one\n"))
    with pytest.raises(DataError, match=r"image_class_labels\.txt.*'one'"):
        CUB200(**settings).prepare_data()


@pytest.mark.parametrize("name", ["images", "image_class_labels", "train_test_split"])
def test_tables_that_do_not_belong_together_are_refused(
    settings: dict[str, Any], tmp_path: Path, name: str
) -> None:
    path = tables(tmp_path) / f"{name}.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    with pytest.raises(DataError, match="name different images; unpack the archive again"):
        CUB200(**settings).prepare_data()


def test_a_list_that_names_a_missing_image_is_refused(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    path = tables(tmp_path) / "images.txt"
    path.write_text(path.read_text().replace("0001_", "9999_", 1))
    with pytest.raises(DataError, match=r"lacks 1 of .*9999_"):
        CUB200(**settings).prepare_data()


@pytest.mark.real_data
def test_real_birds_in_the_official_layout(real_data: Path, tmp_path: Path) -> None:
    counts = lay_out_cub(real_cub(real_data), tmp_path)
    data = CUB200(str(tmp_path), expected={"train": counts.train, "test": counts.test})
    assert data.split_sizes == {"train": 536, "validation": 60, "test": 600}
    assert len(set(data.labels("validation"))) == len(set(data.labels("test"))) == 20
    batch = next(iter(data.test_dataloader()))
    assert 0.25 < float(batch.images.float().mean()) / 255 < 0.7
