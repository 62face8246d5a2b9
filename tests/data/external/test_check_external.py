import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robust_tuning.data.check_report import ABSENT, ARCHIVE, CHECKSUM, LIST, Report
from robust_tuning.data.external import CIFAR_10_1, CIFAR_10_C, ExternalSet, check_external
from tests.data.external.stored import described, lay_out_corruptions, noise, published
from tests.layouts import pack

NAMES = ["fog", "saturate", "snow"]
LABELS = np.tile(np.arange(10), 2)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    lay_out_corruptions(tmp_path / "CIFAR-10-C", NAMES, noise(20), LABELS)
    return tmp_path / "CIFAR-10-C"


@pytest.fixture
def small(home: Path) -> ExternalSet:
    return published(CIFAR_10_C, home, dict.fromkeys(NAMES, (10,) * 10))


def kinds(report: Report) -> dict[str, tuple[str, ...]]:
    return {finding.kind.name: finding.files for finding in report.findings}


def test_files_in_order(home: Path, small: ExternalSet) -> None:
    for root in (home, home.parent):
        report = check_external(small, str(root))
        assert (report.benchmark, report.folder, report.images) == ("CIFAR10C", home, 300)
        assert not report.findings
        assert [(s.name, s.images, s.expected, s.smallest) for s in report.lists] == [
            (name, 100, 100, 10) for name in NAMES
        ]
    assert sorted(home.parent.iterdir()) == [home]
    assert not list(home.glob(".*")), "nothing is changed"


def test_absent_files_count_where_they_are_usually_measured_on(
    home: Path, small: ExternalSet
) -> None:
    (home / "saturate.npy").unlink()
    assert not check_external(small, str(home)).findings
    (home / "fog.npy").unlink()
    report = check_external(small, str(home))
    assert kinds(report) == {ABSENT.name: ("fog.npy",)}
    assert report.affects_training
    assert [summary.name for summary in report.lists] == ["snow"]


def test_every_file_is_read_again(home: Path, small: ExternalSet) -> None:
    small.open(str(home), NAMES)
    content = bytearray((home / "snow.npy").read_bytes())
    content[-1] ^= 1
    (home / "snow.npy").write_bytes(content)
    report = check_external(small, str(home))
    assert kinds(report) == {CHECKSUM.name: ("snow.npy",)}
    assert len(report.lists) == 3


def test_damaged_files_are_told(home: Path, small: ExternalSet) -> None:
    (home / "snow.npy").write_bytes(b"<html>")
    report = check_external(small, str(home))
    assert {f.kind for f in report.findings} == {CHECKSUM, LIST}
    assert {f.files for f in report.of(LIST)} == {("snow.npy", "labels.npy")}
    assert [summary.name for summary in report.lists] == ["fog", "saturate"]


def test_labels_of_other_classes_are_told(home: Path, small: ExternalSet) -> None:
    np.save(home / "labels.npy", np.zeros(100, dtype=np.uint8))
    report = check_external(small, str(home))
    assert report.files(LIST) == ("labels.npy",)
    assert "'airplane' has 100 images, expected 10" in report.of(LIST)[0].detail


def test_an_archive_that_nobody_unpacked(home: Path, small: ExternalSet) -> None:
    pack(home.parent / "all.tar", home)
    packed = replace(small, remote=(described(home.parent / "all.tar", unpacks=("CIFAR-10-C",)),))
    report = check_external(packed, str(home.parent))
    assert kinds(report) == {ABSENT.name: ("CIFAR-10-C",)}
    assert "prepare" in report.findings[0].detail
    (home.parent / "all.tar").write_bytes(b"half")
    assert kinds(check_external(packed, str(home.parent)))[CHECKSUM.name] == ("all.tar",)
    home.mkdir()
    (home / "fog.npy").write_bytes(b"")
    assert ARCHIVE.name in kinds(check_external(packed, str(home.parent)))


def test_nothing_at_all(tmp_path: Path) -> None:
    report = check_external(CIFAR_10_1, str(tmp_path))
    assert report.files(ABSENT) == tuple(sorted(CIFAR_10_1.checksums))
    assert "sha256 5aaedc268df8f4cf" in str(report.findings)


def test_one_version_is_enough(tmp_path: Path) -> None:
    pixels, labels = (tmp_path / name for name in CIFAR_10_1.parts["v6"].files)
    np.save(pixels, noise(20))
    np.save(labels, LABELS.astype(np.int32))
    small = published(CIFAR_10_1, tmp_path, {"v6": (2,) * 10})
    both = replace(small, parts={**CIFAR_10_1.parts, **small.parts})
    assert not check_external(both, str(tmp_path)).findings
    shutil.copy(labels, pixels)
    assert check_external(both, str(tmp_path)).affects_training
