"""Getting a published file whole, however often the connection breaks."""

import re
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast
from urllib.error import HTTPError
from urllib.request import Request, build_opener

from robust_tuning.data.byte_bar import byte_bar
from robust_tuning.data.checksums import digest
from robust_tuning.data.remote import RemoteFile
from robust_tuning.errors import DataError
from robust_tuning.storage import require_space, storage_errors

_CHUNK = 1 << 18
_SILENCE = 10.0  # seconds without an answer or a byte that count as a broken connection
# Before each further try. Every new byte buys all of them again; before the first byte there is
# none, so that having no network is an error at once.
_PAUSES = (0.5, 1.0, 2.0)


class _BrokenConnectionError(Exception):
    """The connection failed in a way that another try may mend."""


def fetch(file: RemoteFile, folder: Path) -> Path:
    """Download a file, or verify it where it is there already.

    What has arrived is kept in `NAME.part` through failures, interruptions and kills, and the next
    call asks the server for the rest only. The proxy variables of the environment are respected.

    Args:
        file: What to get.
        folder: An existing folder to put it into.

    Returns:
        The verified file, `folder / file.name`.

    Raises:
        DataError: If the server cannot be reached or refuses, if the disk is full, or if the file
            is not the described one; a download that is not is removed.
    """
    target = folder / file.name
    if target.exists():
        verify(file, target)
        return target
    if not file.url.startswith(("http://", "https://")):
        message = f"{file.url} is no http or https address; {file.by_hand(folder)}"
        raise DataError(message)
    doing = f"downloading {file.description}"
    with storage_errors(doing, folder):
        part = folder / f"{file.name}.part"
        if _size(part) > file.size:
            part.unlink()
        require_space(doing, folder, file.size - _size(part))
        _complete(file, part)
        problem = _mismatch(file, part)
        if problem is not None:
            part.unlink()
            message = (
                f"the download {part} {problem}, and was removed; prepare again, or "
                f"{file.by_hand(folder)}"
            )
            raise DataError(message)
        part.replace(target)
    return target


def verify(file: RemoteFile, path: Path) -> None:
    """Compare size and checksum (SHA-256 where it is known, else MD5) with the described ones.

    Raises:
        DataError: If they differ, or if the file cannot be read.
    """
    with storage_errors(f"verifying {path}", path.parent):
        problem = _mismatch(file, path)
    if problem is not None:
        message = (
            f"{path} {problem}; delete {path} and prepare again, or {file.by_hand(path.parent)}"
        )
        raise DataError(message)


def _mismatch(file: RemoteFile, path: Path) -> str | None:
    """What is wrong with a file, as the rest of a sentence about it."""
    size = path.stat().st_size
    if size != file.size:
        return f"holds {size:,} bytes, expected {file.size:,}"
    name, expected = ("md5", file.md5) if file.sha256 is None else ("sha256", file.sha256)
    found = digest(path, name)
    return None if found == expected else f"has the {name} {found}, expected {expected}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _complete(file: RemoteFile, part: Path) -> None:
    """Bring a partial download to its full size, over as many connections as it takes."""
    furthest = _size(part)
    pauses: list[float] = []
    with byte_bar(f"Downloading {file.name}", file.size, done=furthest) as show:
        while _size(part) < file.size:
            try:
                _receive(file, part, show)
            except _BrokenConnectionError as error:
                if _size(part) > furthest:
                    furthest, pauses = _size(part), list(_PAUSES)
                if not pauses:
                    message = (
                        f"{file.url} cannot be downloaded ({error}); {_size(part):,} bytes are "
                        f"here: prepare again to go on, or {file.by_hand(part.parent)}"
                    )
                    raise DataError(message) from error
                time.sleep(pauses.pop(0))


def _receive(file: RemoteFile, part: Path, show: Callable[[int], None]) -> None:
    """Write what one connection brings."""
    with _connect(file, part, _size(part)) as response:
        done = _first_byte(response, file, part)
        with part.open("ab" if done else "wb") as sink:
            for chunk in _chunks(response):
                sink.write(chunk)
                done += len(chunk)
                show(done)
                if done > file.size:
                    return
    if done < file.size:
        message = f"the connection ended after {done:,} of {file.size:,} bytes"
        raise _BrokenConnectionError(message)


def _connect(file: RemoteFile, part: Path, offset: int) -> HTTPResponse:
    """Ask for everything from a byte on."""
    headers = {"User-Agent": "robust-tuning"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    try:
        response = build_opener().open(Request(file.url, headers=headers), timeout=_SILENCE)
    except HTTPError as error:
        with error:
            status = f"HTTP status {error.code} {error.reason}"
        if error.code == 416 and offset:  # no such range there: what is here is of another file
            return _connect(file, part, 0)
        if error.code >= 500 or error.code == 429:
            raise _BrokenConnectionError(status) from error
        message = f"{file.url} was refused ({status}); {file.by_hand(part.parent)}"
        raise DataError(message) from error
    except (OSError, HTTPException) as error:
        raise _BrokenConnectionError(_reason(error)) from error
    return cast("HTTPResponse", response)


def _first_byte(response: HTTPResponse, file: RemoteFile, part: Path) -> int:
    """The place of an answer's first byte: zero from a server that has ignored the range."""
    start, total = 0, response.headers.get("Content-Length")
    if response.status == 206:
        content_range = response.headers.get("Content-Range", "")
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", content_range)
        if found is None or int(found[1]) not in (0, _size(part)):
            message = (
                f"{file.url} answered the request for the bytes from {_size(part)} on with "
                f"{content_range!r}; {file.by_hand(part.parent)}"
            )
            raise DataError(message)
        start, total = int(found[1]), found[2]
    if total not in (None, "*", str(file.size)):
        message = (
            f"{file.url} offers {total} bytes, expected {file.size:,}: it was replaced, or leads "
            f"to a page about it; {file.by_hand(part.parent)}"
        )
        raise DataError(message)
    return start


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    try:
        # read1 hands over what has arrived; read would lose it when the connection breaks
        while chunk := response.read1(_CHUNK):
            yield chunk
    except (OSError, HTTPException) as error:
        raise _BrokenConnectionError(_reason(error)) from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", error)) or type(error).__name__
