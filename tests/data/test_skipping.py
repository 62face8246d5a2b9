from pathlib import Path

import pytest

from robust_tuning.data.skipping import read_skip_list, write_skip_list
from robust_tuning.errors import DataError


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "skip.txt"
    write_skip_list(path, ["b/2.jpg", "a/ä 1.jpg"], "two that are broken")
    assert read_skip_list(str(path)) == {"a/ä 1.jpg", "b/2.jpg"}
    assert path.read_text(encoding="utf-8").startswith("# two that are broken\n")


def test_comments_and_empty_lines_are_no_files(tmp_path: Path) -> None:
    path = tmp_path / "skip.txt"
    path.write_text("# why\n\n  a.jpg \n")
    assert read_skip_list(str(path)) == {"a.jpg"}


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_what_is_no_text_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "skip.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"data\.skip is .*skip\.txt.* cannot be read"):
        read_skip_list(str(path))
