"""Replacing a file in one piece: after a kill there is the old content or the new, never a part."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_UNFINISHED = ".tmp"


def replace_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside `path`, flush it to the disk and rename it over `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The process id keeps two writers apart; of one that is killed a file stays.
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_UNFINISHED}")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove_leftovers(folder: Path) -> None:
    """Delete what writers that were killed have left in a folder which nobody writes to now."""
    for file in folder.glob(f".*{_UNFINISHED}"):
        file.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a new name in it outlives a power cut."""
    if os.name == "nt":  # a folder cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
