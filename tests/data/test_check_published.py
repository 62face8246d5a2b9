from pathlib import Path

import pytest

from robust_tuning.data.check_published import find_absent, find_wrong_checksums
from tests.data.packing import remote

CONTENT = b"as published"


@pytest.mark.parametrize("content", [b"as publishee", b"as published, and more", b""])
@pytest.mark.parametrize(
    ("unpacks", "unpacked", "own", "kind"),
    [
        ((), False, False, "wrong_checksum"),
        ((), True, False, "wrong_checksum"),
        ((), True, True, None),
        (("images",), False, False, "wrong_checksum"),
        (("images",), False, True, "wrong_checksum"),
        (("images",), True, False, "wrong_archive"),
        (("images",), True, True, "wrong_archive"),
    ],
)
def test_files_that_are_not_the_published_ones(
    tmp_path: Path,
    content: bytes,
    unpacks: tuple[str, ...],
    unpacked: bool,
    own: bool,
    kind: str | None,
) -> None:
    file = remote("list.txt", CONTENT, unpacks=unpacks)
    (tmp_path / "list.txt").write_bytes(content)
    found = find_wrong_checksums(tmp_path, [file], unpacked=unpacked, own=own)
    assert [(finding.kind.name, finding.files) for finding in found] == (
        [] if kind is None else [(kind, ("list.txt",))]
    )
    assert all("expected" in finding.detail for finding in found)
    (tmp_path / "list.txt").write_bytes(CONTENT)
    assert not find_wrong_checksums(tmp_path, [file], unpacked=unpacked, own=own)
    (tmp_path / "list.txt").unlink()
    assert not find_wrong_checksums(tmp_path, [file], unpacked=unpacked, own=own)


def test_an_archive_is_spent_once_its_own_part_is_there(tmp_path: Path) -> None:
    file = remote("images.tar", CONTENT, unpacks=("images",))
    (tmp_path / "images.tar").write_bytes(b"other")
    (tmp_path / "images").mkdir()
    (found,) = find_wrong_checksums(tmp_path, [file], unpacked=False, own=False)
    assert found.kind.name == "wrong_archive"


def test_what_is_absent_says_where_it_comes_from(tmp_path: Path) -> None:
    archive = remote("images.tar", CONTENT, unpacks=("images", "masks"))
    lists, there = remote("list.txt", CONTENT), remote("there.txt", CONTENT)
    (tmp_path / "there.txt").touch()
    (tmp_path / "masks").mkdir()
    files = [archive, lists, there]
    found = find_absent(tmp_path, files)
    assert [finding.files for finding in found] == [("images",), ("list.txt",)]
    assert [finding.detail for finding in found] == [archive.description, lists.description]
    (tmp_path / "images.tar").touch()
    assert find_absent(tmp_path, files)[0].detail.startswith("images.tar lies here")


def test_a_root_with_everything_in_the_wrong_form(tmp_path: Path) -> None:
    (found,) = find_absent(tmp_path, [])
    assert (found.kind.name, found.files) == ("absent", (str(tmp_path),))
