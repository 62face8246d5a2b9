from pathlib import Path
from typing import BinaryIO, NoReturn

import pytest

from robust_tuning.frontier.files import replace_file


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    replace_file(path, lambda file: file.write(b"old"))
    replace_file(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(file: BinaryIO) -> NoReturn:
        file.write(b"half")
        message = "no space left"
        raise OSError(message)

    with pytest.raises(OSError, match="no space left"):
        replace_file(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
