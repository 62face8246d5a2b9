"""Room on a disk, where to take it, and what can go wrong while it is written to."""

import atexit
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robust_tuning.errors import DataError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def storage_errors(doing: str, folder: Path) -> Iterator[None]:
    """Report an operating system's error as one that says what to do.

    Args:
        doing: What is being done, as the subject of a sentence: "downloading lists.tar".
        folder: Where.

    Raises:
        DataError: In place of an `OSError` in the body.

    Example:
        >>> with storage_errors("writing a list", Path("lists")):
        ...     raise OSError(errno.ENOSPC, "No space left on device")
        Traceback (most recent call last):
            ...
        robust_tuning.errors.DataError: writing a list failed in lists: No space left on device; \
free some space, or raise the quota or the limit on file sizes, and try again
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            remedy = "free some space, or raise the quota or the limit on file sizes, and "
            remedy += "try again"
        elif error.errno in _CLOSED:
            remedy = "make the folder readable and writable for this user, or choose another one"
        else:
            remedy = "choose a folder on a disk that works"
        place = "" if error.filename is None else f" ({error.filename})"
        reason = error.strerror or str(error)
        message = f"{doing} failed in {folder}: {reason}{place}; {remedy}"
        raise DataError(message) from error


def require_space(doing: str, folder: Path, needed: int) -> None:
    """Fail now rather than in the middle.

    Args:
        doing: As for `storage_errors`.
        folder: A folder that exists, on the disk in question.
        needed: Bytes.

    Raises:
        DataError: If fewer bytes are free.
        OSError: If the folder cannot be looked at.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        message = (
            f"{doing} takes at least {needed:,} bytes and {free:,} are free in {folder}; "
            "free some space or choose a root on another disk"
        )
        raise DataError(message)


def memory_folder() -> Path:
    """A folder in memory that the processes of a machine share, each user's own."""
    memory = Path("/dev/shm")
    base = memory if memory.is_dir() else Path(tempfile.gettempdir())
    return base / f"robust_tuning-{os.getuid()}"


def cache_folder(folder: str | None) -> Path:
    """Where things are kept for later runs.

    Args:
        folder: As the user says; None takes `~/.cache/robust_tuning`.
    """
    if folder is not None:
        return Path(folder).expanduser().resolve()
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "robust_tuning"


def remove_at_exit(path: Path) -> None:
    """Delete a file at the end of this process, but not of one that it has forked."""
    atexit.register(_remove, path, os.getpid())


def _remove(path: Path, process: int) -> None:
    if os.getpid() == process:
        path.unlink(missing_ok=True)
