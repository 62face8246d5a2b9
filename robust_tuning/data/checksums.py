"""Checksums of large files, computed once for as long as a file stays as it is."""

import hashlib
import json
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from robust_tuning.data.byte_bar import byte_bar
from robust_tuning.errors import DataError
from robust_tuning.storage import storage_errors

_CHUNK = 1 << 18
_STAMPS = ".verified.json"


class Checksum(NamedTuple):
    """What a published file's content must come to, in hexadecimal digits of lower case."""

    algorithm: Literal["md5", "sha256"]
    digits: str


def digest(path: Path, algorithm: str) -> str:
    """Read a file whole and compute its checksum.

    Args:
        path: The file.
        algorithm: `md5` or `sha256`.

    Raises:
        OSError: If it cannot be read.
    """
    found = hashlib.new(algorithm, usedforsecurity=False)
    with (
        path.open("rb") as source,
        byte_bar(f"Verifying {path.name}", path.stat().st_size) as show,
    ):
        while chunk := source.read(_CHUNK):
            found.update(chunk)
            show(source.tell())
    return found.hexdigest()


def require_checksum(path: Path, expected: Checksum, remedy: str) -> None:
    """Compare a file with its checksum.

    What was found equal is written to `.verified.json` beside the file, with its size and the time
    of its last change, and believed while these are the same. In a folder that cannot be written,
    it is remembered until the process ends.

    Args:
        path: The file.
        expected: Its checksum.
        remedy: What the error says can be done.

    Raises:
        DataError: If they differ, or if the file cannot be read.
    """
    with storage_errors(f"verifying {path}", path.parent):
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns, *expected]
        if _read_stamps(path.parent).get(path.name) == stamp:
            return
        found = _digest_of(path, expected.algorithm, status.st_size, status.st_mtime_ns)
    if found != expected.digits:
        message = (
            f"{path} has the {expected.algorithm} {found}, expected {expected.digits}; {remedy}"
        )
        raise DataError(message)
    _write_stamp(path, stamp)


@cache
def _digest_of(path: Path, algorithm: str, size: int, changed: int) -> str:  # noqa: ARG001  keys
    return digest(path, algorithm)


def _read_stamps(folder: Path) -> dict[str, Any]:
    try:
        stamps = json.loads((folder / _STAMPS).read_bytes())
    except (OSError, ValueError):  # none yet, or damaged: verify again
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _write_stamp(path: Path, stamp: list[Any]) -> None:
    stamps = {**_read_stamps(path.parent), path.name: stamp}
    unfinished = path.parent / f"{_STAMPS}.{os.getpid()}"
    try:
        unfinished.write_text(json.dumps(stamps, indent=1), encoding="utf-8")
        unfinished.replace(path.parent / _STAMPS)
    except OSError:  # a folder that cannot be written is no reason to stop
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
