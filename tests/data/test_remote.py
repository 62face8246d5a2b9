from pathlib import Path

import pytest

from robust_tuning.data.remote import RemoteFile


def file(**settings: object) -> RemoteFile:
    return RemoteFile("a.tar", "https://example.org/a.tar?download=1", 1234, "0f" * 16, **settings)  # type: ignore[arg-type]  # of any field


def test_an_archive_may_hold_three_times_its_size_unless_it_says_more() -> None:
    assert file().unpacked_limit == 3702
    assert file(max_unpacked=9).unpacked_limit == 9
    assert file(max_unpacked=0).unpacked_limit == 0


@pytest.mark.parametrize(
    ("unpacks", "there", "present"),
    [
        ((), [], False),
        ((), ["a.tar"], True),
        (("x", "y"), ["a.tar"], False),
        (("x", "y"), ["a.tar", "x"], False),
        (("x", "y"), ["x", "y"], True),
    ],
)
def test_what_an_archive_brings_is_what_counts(
    tmp_path: Path, unpacks: tuple[str, ...], there: list[str], present: bool
) -> None:
    for name in there:
        (tmp_path / name).touch()
    assert file(unpacks=unpacks).is_present(tmp_path) is present


def test_words_for_messages_tell_all_that_one_needs(tmp_path: Path) -> None:
    words = file().by_hand(tmp_path)
    for fact in ("a.tar", "1,234 bytes", "0f" * 16, "https://example.org/a.tar?download=1"):
        assert fact in words
    assert words.endswith(str(tmp_path))


def test_where_only_the_longer_checksum_is_known_it_is_told() -> None:
    known = RemoteFile("a.npy", "https://example.org/a.npy", 9, None, "ab" * 32)
    assert known.description == (
        f"a.npy (9 bytes, sha256 {'ab' * 32}) from https://example.org/a.npy"
    )
