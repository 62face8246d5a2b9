import hashlib
import pickle
from pathlib import Path
from typing import Any

import pytest

from robust_tuning.data import CIFAR10, CIFAR100
from robust_tuning.data.check_cifar import check_cifar
from robust_tuning.data.check_report import Report
from robust_tuning.errors import DataError
from tests.data.own_benchmarks import TinyCIFAR10
from tests.data.small_benchmarks import lay_out
from tests.python2 import python2_pickle

PART = "data_batch_2"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    return lay_out(CIFAR10, tmp_path)


@pytest.fixture
def folder(tmp_path: Path, settings: dict[str, Any]) -> Path:
    return tmp_path / "cifar-10-batches-py"


def found(report: Report) -> set[tuple[str, tuple[str, ...]]]:
    return {(finding.kind.name, finding.files) for finding in report.findings}


def batch(folder: Path, name: str) -> dict[str, Any]:
    table = pickle.loads((folder / name).read_bytes(), encoding="bytes")
    return {key.decode(): value for key, value in table.items()}


def rewrite(folder: Path, name: str, table: dict[str, Any]) -> None:
    (folder / name).write_bytes(python2_pickle(table))


@pytest.mark.parametrize(("kind", "rows"), [(CIFAR10, 240), (CIFAR100, 72)])
def test_files_in_order(tmp_path: Path, kind: type[CIFAR10 | CIFAR100], rows: int) -> None:
    report = check_cifar(kind(**lay_out(kind, tmp_path / "own")))
    assert not report.findings
    assert report.images == rows
    assert [(one.name, one.images, one.expected) for one in report.lists] == [
        ("train", rows * 5 // 6, rows * 5 // 6),
        ("test", rows // 6, rows // 6),
    ]
    classes = kind(root="").class_names
    empty = classes[3:] if kind is CIFAR100 else ()
    assert all(one.empty_classes == empty and one.largest for one in report.lists)


def test_other_sizes_than_expected(settings: dict[str, Any]) -> None:
    settings["expected"] = {"train": 200, "test": 41}
    (finding,) = check_cifar(CIFAR10(**settings)).findings
    assert (finding.kind.name, finding.files) == ("wrong_size", ("test",))
    assert finding.detail == "40 images, expected 41"


def test_official_checksums_and_sizes_hold_unless_sizes_are_given(
    settings: dict[str, Any], folder: Path
) -> None:
    report = check_cifar(CIFAR10(settings["root"]))
    files = {*CIFAR10.files.train, *CIFAR10.files.test}
    assert found(report) == {
        *(("wrong_checksum", (name,)) for name in files),
        ("wrong_size", ("train",)),
        ("wrong_size", ("test",)),
    }
    assert report.images == 240, "their rows are read all the same"


def test_a_flipped_byte(
    settings: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    TinyCIFAR10.publish(folder, monkeypatch)
    data = TinyCIFAR10(settings["root"])
    assert not check_cifar(data).findings
    path = folder / PART
    content = bytearray(path.read_bytes())
    table = batch(folder, PART)
    place = bytes(content).index(table["data"][3].tobytes()[:64]) + 5
    content[place] ^= 1
    path.write_bytes(content)
    assert batch(folder, PART)["data"][3, 5] ^ table["data"][3, 5] == 1
    report = check_cifar(data)
    assert found(report) == {("wrong_checksum", (PART,))}
    (finding,) = report.findings
    assert hashlib.md5(content, usedforsecurity=False).hexdigest() in finding.detail
    with pytest.raises(DataError, match="has the MD5"):
        data.labels("train")


def test_a_file_that_is_cut_off_and_one_that_is_not_there(
    settings: dict[str, Any], folder: Path
) -> None:
    path = folder / PART
    path.write_bytes(path.read_bytes()[:-100])
    (folder / "data_batch_4").unlink()
    report = check_cifar(CIFAR10(**settings))
    assert found(report) == {
        ("damaged_list", (PART,)),
        ("absent", ("data_batch_4",)),
        ("wrong_size", ("train",)),
    }
    assert report.images == 160
    assert report.affects_training


@pytest.mark.parametrize("label", [10, -1])
def test_a_label_out_of_range(settings: dict[str, Any], folder: Path, label: int) -> None:
    table = batch(folder, "test_batch")
    table["labels"][7] = label
    rewrite(folder, "test_batch", table)
    report = check_cifar(CIFAR10(**settings))
    assert found(report) == {("damaged_list", ("test_batch",)), ("wrong_size", ("test",))}
    details = [one.detail for one in report.findings if one.kind.name == "damaged_list"]
    assert f"such as {label}" in details[0]


def test_equal_rows(settings: dict[str, Any], folder: Path) -> None:
    first, second = batch(folder, "data_batch_1"), batch(folder, PART)
    test = batch(folder, "test_batch")
    # Each file of 40 rows holds two classes, the test file four rows of each.
    second["data"][1] = second["data"][0]
    test["data"][0] = first["data"][5]
    test["data"][39] = first["data"][6]
    rewrite(folder, PART, second)
    rewrite(folder, "test_batch", test)
    report = check_cifar(CIFAR10(**settings))
    assert found(report) == {
        ("duplicates", (f"{PART}/0", f"{PART}/1")),
        ("duplicates_across_splits", ("data_batch_1/5", "test_batch/0")),
        ("conflicting_duplicates", ("data_batch_1/6", "test_batch/39")),
    }
    assert not report.affects_training


def test_nothing_there(tmp_path: Path) -> None:
    report = check_cifar(CIFAR10(str(tmp_path)))
    assert found(report) == {("absent", ("cifar-10-batches-py",))}
    assert report.affects_training


def test_an_archive_that_is_another(settings: dict[str, Any], tmp_path: Path, folder: Path) -> None:
    (tmp_path / CIFAR10.files.archive.name).write_bytes(b"<html>")
    expected = {("wrong_archive", (CIFAR10.files.archive.name,))}
    assert found(check_cifar(CIFAR10(**settings))) == expected
    folder.rename(tmp_path / "elsewhere")
    assert found(check_cifar(CIFAR10(**settings))) == {
        ("wrong_checksum", (CIFAR10.files.archive.name,)),
        ("absent", ("cifar-10-batches-py",)),
    }
