import errno
import os
from pathlib import Path

import pytest

from robust_tuning.errors import DataError
from robust_tuning.storage import require_space, storage_errors


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "raise the quota"),
        (errno.EFBIG, "limit on file sizes"),
        (errno.EACCES, "readable and writable"),
        (errno.EROFS, "choose another one"),
        (errno.EIO, "a disk that works"),
    ],
)
def test_an_error_of_the_system_becomes_one_line_with_a_remedy(number: int, remedy: str) -> None:
    with pytest.raises(DataError) as caught, storage_errors("writing it", Path("there")):
        raise OSError(number, os.strerror(number), "there/file")
    text = str(caught.value)
    assert text.startswith(f"writing it failed in there: {os.strerror(number)} (there/file); ")
    assert remedy in text
    assert "\n" not in text


def test_an_error_without_number_or_file_keeps_its_words() -> None:
    with (
        pytest.raises(DataError, match="failed in there: odd; "),
        storage_errors("it", Path("there")),
    ):
        raise OSError(*["odd"])


def test_what_is_no_error_of_the_system_passes() -> None:
    for error in (DataError("mine"), KeyError("other"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, storage_errors("it", Path("there")):
            raise error
        assert caught.value is error


def test_space_is_that_of_the_disk(tmp_path: Path) -> None:
    state = os.statvfs(tmp_path)
    free = state.f_bavail * state.f_frsize
    require_space("it", tmp_path, 0)
    require_space("it", tmp_path, free // 2)
    with pytest.raises(DataError, match=f"it takes at least {3 * free:,} bytes and [0-9,]+ are"):
        require_space("it", tmp_path, 3 * free)
