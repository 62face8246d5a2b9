"""Bringing the files of a benchmark to where it looks for them."""

import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock, Timeout

from robust_tuning.data.archives import unpack
from robust_tuning.data.download import fetch
from robust_tuning.data.remote import RemoteFile
from robust_tuning.errors import DataError
from robust_tuning.storage import require_space, storage_errors

log = logging.getLogger(__name__)

_LOCK = ".prepare.lock"
_UNPACKING = ".unpacking-"


def prepare(root: Path, files: Sequence[RemoteFile], *, download: bool) -> None:
    """Bring every file to where it belongs: downloaded where allowed, verified, and unpacked.

    What is there already is left alone and not read. Archives that lie in the root are unpacked
    and stay there. A name appears below the root only when everything in it is written, so that a
    preparation may be killed at any moment and repeated; processes that prepare the same root
    take turns.

    Args:
        root: The folder of the benchmark.
        files: What belongs into it.
        download: Whether what is absent may be fetched from its authors.

    Raises:
        DataError: If files remain absent (all are listed), cannot be fetched or are not the
            described ones, or if the root cannot be written.
    """
    with storage_errors(f"preparing {root}", root):
        absent = _absent(root, files)
        if absent and (download or _can_change(root, absent)):
            root.mkdir(parents=True, exist_ok=True)
            with _locked(root):
                _remove_leftovers(root)
                for file in _absent(root, files):
                    if download or (root / file.name).exists():
                        _bring(root, file)
                absent = _absent(root, files)
    if absent:
        listed = "".join(f"\n  {file.description}" for file in absent)
        message = (
            f"{root} lacks {len(absent)} of {len(files)} files:{listed}\n"
            f"put them into {root}, or pass download: true / robust-tuning data prepare"
        )
        raise DataError(message)


def _absent(root: Path, files: Sequence[RemoteFile]) -> list[RemoteFile]:
    return [file for file in files if not file.is_present(root)]


def _can_change(root: Path, absent: list[RemoteFile]) -> bool:
    """Whether there is something to do without a download, or another process may be at it."""
    if any((root / file.name).exists() for file in absent):
        return True
    return (root / _LOCK).exists() and os.access(root, os.W_OK)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    lock = FileLock(root / _LOCK)
    try:
        lock.acquire(timeout=1)
    except Timeout:
        log.info("waiting for another process that prepares %s", root)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _remove_leftovers(root: Path) -> None:
    """Remove what preparations that were killed have left; under the lock, none is running."""
    for folder in root.glob(f"{_UNPACKING}*"):
        log.info("removing %s, left by a preparation that was killed", folder)
        shutil.rmtree(folder)


def _bring(root: Path, file: RemoteFile) -> None:
    archive = fetch(file, root)
    if not file.unpacks:
        return
    require_space(f"unpacking {archive}", root, file.size)
    with TemporaryDirectory(prefix=f"{_UNPACKING}{file.name}-", dir=root) as name:
        folder = Path(name)
        unpack(archive, folder, max_bytes=file.unpacked_limit, max_entries=file.max_entries)
        _publish(archive, folder, root, file.unpacks)


def _publish(archive: Path, folder: Path, root: Path, names: tuple[str, ...]) -> None:
    """Rename what was unpacked into place."""
    lacking = [name for name in names if not (folder / name).exists()]
    if lacking:
        found = ", ".join(sorted(entry.name for entry in folder.iterdir())) or "nothing"
        message = (
            f"{archive} holds {found}, expected {', '.join(lacking)}; "
            f"delete {archive} and prepare again"
        )
        raise DataError(message)
    for name in names:
        if not (root / name).exists():
            (folder / name).rename(root / name)
