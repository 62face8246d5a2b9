from pathlib import Path

import pytest

from robust_tuning.data.locating import find_or_prepare
from robust_tuning.data.remote import RemoteFile
from robust_tuning.errors import DataError


def marked(root: Path) -> Path | None:
    return root / "inside" if (root / "inside" / "mark").is_file() else None


def never() -> tuple[RemoteFile, ...]:
    message = "what is there needs no preparation"
    raise AssertionError(message)


def test_what_is_there_is_found_without_asking_for_anything(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "mark").touch()
    found = find_or_prepare(str(tmp_path), marked, never, download=True, what="birds")
    assert found == tmp_path / "inside"


def test_the_home_of_the_user_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "mark").touch()
    found = find_or_prepare("~", marked, never, download=False, what="birds")
    assert found == tmp_path / "inside"


def test_a_root_that_nothing_can_fill_is_named(tmp_path: Path) -> None:
    root = str(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"data\.root is '.*nowhere', which does not hold birds"):
        find_or_prepare(root, marked, lambda: (), download=True, what="birds")
