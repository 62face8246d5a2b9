"""Unpacking archives of which nothing is believed: neither names nor kinds nor sizes."""

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import IO, NamedTuple

from robust_tuning.data.byte_bar import byte_bar
from robust_tuning.errors import DataError
from robust_tuning.storage import storage_errors

_CHUNK = 1 << 20
_PADDING = 16 << 20  # bytes behind a tar's end that are read for the sake of gzip's checksum
_BLOCK = 512
_ENCRYPTED = 0x1


class _Member(NamedTuple):
    name: str
    is_folder: bool
    chunks: Iterator[bytes]  # to be read before the next member


def unpack(archive: Path, into: Path, *, max_bytes: int, max_entries: int) -> None:
    """Unpack a tar, gzipped tar or zip; which of them it is, its content says.

    Only folders and plain files are made, below `into`, with the permissions of any new file. What
    was written before an error stays: unpack into a new folder that can be thrown away. Links that
    stand in the folder are followed.

    Args:
        archive: The file.
        into: The folder; made where it is missing.
        max_bytes: Bytes to write at most, counted as they are written.
        max_entries: Members at most.

    Raises:
        DataError: If the archive is damaged, encrypted or beyond a limit, if a name points out of
            the folder, if a member is neither file nor folder or is both, or if the disk is full.
    """
    with (
        storage_errors(f"unpacking {archive}", into),
        archive.open("rb") as raw,
        byte_bar(f"Unpacking {archive.name}", archive.stat().st_size) as show,
    ):
        into.mkdir(parents=True, exist_ok=True)
        room = max_bytes
        for number, member in enumerate(_members(archive, raw), start=1):
            if number > max_entries:
                raise _refusal(archive, f"holds more than {max_entries:,} members")
            place = _place(archive, member, into)
            try:
                room -= _write(member, place, room, lambda: show(raw.tell()))
            except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
                reason = f"holds {member.name!r} as a file and as a folder"
                raise _refusal(archive, reason) from error
            if room < 0:
                raise _refusal(archive, f"holds more than {max_bytes:,} bytes")


def _refusal(archive: Path, reason: str) -> DataError:
    return DataError(f"{archive} {reason}; delete it and prepare again")


def _place(archive: Path, member: _Member, into: Path) -> Path:
    """Where a member goes.

    Raises:
        DataError: If its name is not a plain path below the folder, on any operating system.
    """
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    if (
        member.name.startswith("/")
        or "\\" in member.name
        or "\0" in member.name
        or any(part == ".." or PureWindowsPath(part).drive for part in parts)
        or not (parts or member.is_folder)
    ):
        raise _refusal(archive, f"holds {member.name!r}, which is no name of a file below a folder")
    return into.joinpath(*parts)


def _write(member: _Member, place: Path, room: int, tick: Callable[[], None]) -> int:
    """Make a folder or a file.

    Returns:
        The size in bytes; if it is more than `room`, the writing has stopped before.
    """
    if member.is_folder:
        place.mkdir(parents=True, exist_ok=True)
        return 0
    place.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with place.open("wb") as sink:
        for chunk in member.chunks:
            size += len(chunk)
            if size > room:
                break
            sink.write(chunk)
            tick()
    return size


@contextmanager
def _damage(archive: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # damaged archives make decoders raise anything
        reason = f"is incomplete or damaged ({type(error).__name__}: {error})"
        raise _refusal(archive, reason) from error


def _members(archive: Path, raw: io.BufferedReader) -> Iterator[_Member]:
    with _damage(archive):
        magic = raw.read(4)
        raw.seek(0)
        if magic[:2] == b"PK":
            yield from _zip_members(archive, raw)
        else:
            zipped = magic[:2] == b"\x1f\x8b"
            with _BoundedReader(gzip.GzipFile(fileobj=raw) if zipped else raw) as stream:
                yield from _tar_members(archive, stream)


def _chunks(archive: Path, opener: Callable[[], IO[bytes] | None]) -> Iterator[bytes]:
    with _damage(archive):
        source = opener()
        while source is not None and (chunk := source.read(_CHUNK)):
            yield chunk


def _zip_members(archive: Path, raw: io.BufferedReader) -> Iterator[_Member]:
    with zipfile.ZipFile(raw) as opened:
        for info in opened.infolist():
            if info.flag_bits & _ENCRYPTED:
                raise _refusal(archive, f"holds {info.filename!r}, which is encrypted")
            # the upper half is the mode where a Unix system has made the archive, else 0
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refusal(archive, f"holds {info.filename!r}, neither file nor folder")
            chunks = _chunks(archive, partial(opened.open, info))
            yield _Member(info.filename, info.filename.endswith("/"), chunks)


def _tar_members(archive: Path, stream: "_BoundedReader") -> Iterator[_Member]:
    with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8") as opened:
        while (info := opened.next()) is not None:
            if not (info.isreg() or info.isdir()):
                raise _refusal(archive, f"holds {info.name!r}, neither file nor folder")
            chunks = _chunks(archive, partial(opened.extractfile, info))
            yield _Member(info.name, info.isdir(), chunks)
        # Behind the first member tarfile takes any nonsense for the end, which is a block of zeros.
        stream.seek(opened.offset)
    if stream.read(_BLOCK) != bytes(_BLOCK):
        raise _refusal(archive, "is incomplete or damaged (it ends without a tar's end mark)")
    for _ in range(_PADDING // _CHUNK):
        if not stream.read(_CHUNK):
            break


class _BoundedReader(io.BufferedReader):
    """What tarfile reads from: no length in a header, however large, makes it fill the memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most 1 MiB, far more than any honest header."""
        if size is None or not 0 <= size <= _CHUNK:
            message = f"a header of {size} bytes"
            raise tarfile.ReadError(message)
        return super().read(size)
