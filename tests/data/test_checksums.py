import hashlib
import json
import os
from pathlib import Path

import pytest

from robust_tuning.data.checksums import Checksum, digest, require_checksum
from robust_tuning.errors import DataError

CONTENT = bytes(range(256)) * 3000
STAMPS = ".verified.json"


def md5(content: bytes) -> Checksum:
    return Checksum("md5", hashlib.md5(content, usedforsecurity=False).hexdigest())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pixels.npy"
    path.write_bytes(CONTENT)
    return path


def spoil(path: Path) -> None:
    """Change the content and neither the size nor the time of the last change."""
    before = path.stat()
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_every_byte_counts(file: Path, algorithm: str) -> None:
    assert digest(file, algorithm) == hashlib.new(algorithm, CONTENT).hexdigest()


def test_another_content_is_refused_in_one_line(file: Path) -> None:
    with pytest.raises(DataError) as error:
        require_checksum(file, md5(b"other"), "get it again")
    assert str(error.value) == (
        f"{file} has the md5 {md5(CONTENT).digits}, expected {md5(b'other').digits}; get it again"
    )
    assert not (file.parent / STAMPS).exists()


def test_a_verified_file_is_not_read_again(file: Path) -> None:
    require_checksum(file, md5(CONTENT), "")
    spoil(file)
    require_checksum(file, md5(CONTENT), "")


def test_a_file_that_has_changed_is(file: Path) -> None:
    require_checksum(file, md5(CONTENT), "")
    spoil(file)
    os.utime(file, (1, 1))
    with pytest.raises(DataError, match="has the md5"):
        require_checksum(file, md5(CONTENT), "")
    file.write_bytes(CONTENT + b"x")
    with pytest.raises(DataError, match="has the md5"):
        require_checksum(file, md5(CONTENT), "")


def test_what_was_verified_is_remembered_by_the_folder(file: Path) -> None:
    other = file.with_name("labels.npy")
    other.write_bytes(b"labels")
    require_checksum(file, md5(CONTENT), "")
    require_checksum(other, md5(b"labels"), "")
    assert sorted(json.loads((file.parent / STAMPS).read_text())) == ["labels.npy", "pixels.npy"]
    assert sorted(path.name for path in file.parent.iterdir()) == [
        *(STAMPS, "labels.npy", "pixels.npy")
    ]


@pytest.mark.parametrize("stamps", [b"", b"{half", b"[]", b"\xff", b'{"pixels.npy": 1}'])
def test_a_damaged_memory_is_none(file: Path, stamps: bytes) -> None:
    (file.parent / STAMPS).write_bytes(stamps)
    with pytest.raises(DataError):
        require_checksum(file, md5(b"other"), "")
    require_checksum(file, md5(CONTENT), "")
    assert "pixels.npy" in json.loads((file.parent / STAMPS).read_text())


def test_what_was_compared_with_another_checksum_does_not_count(file: Path) -> None:
    require_checksum(file, md5(CONTENT), "")
    with pytest.raises(DataError, match="sha256"):
        require_checksum(file, Checksum("sha256", 64 * "0"), "")


def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(file: Path) -> None:
    (file.parent / STAMPS).mkdir()
    require_checksum(file, md5(CONTENT), "")
    assert sorted(path.name for path in file.parent.iterdir()) == [STAMPS, "pixels.npy"]


def test_a_missing_file_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"verifying .*none\.npy failed"):
        require_checksum(tmp_path / "none.npy", md5(b""), "")
