"""Finding a benchmark below a root, or getting it there."""

from collections.abc import Callable, Sequence
from pathlib import Path

from robust_tuning.data.preparation import prepare
from robust_tuning.data.remote import RemoteFile
from robust_tuning.errors import DataError


def find_or_prepare(
    root: str,
    find: Callable[[Path], Path | None],
    files: Callable[[], Sequence[RemoteFile]],
    *,
    download: bool,
    what: str,
) -> Path:
    """The folder that holds a benchmark.

    Args:
        root: What the user calls the place.
        find: The folder below a root, None if it is not (all) there.
        files: What is published, asked for only when something is missing.
        download: Fetch what is missing.
        what: Name of the benchmark.

    Raises:
        DataError: If something is missing and cannot be had.
    """
    place = Path(root).expanduser().resolve()
    home = find(place)
    if home is None:
        prepare(place, files(), download=download)
        home = find(place)
    if home is None:
        message = f"data.root is {root!r}, which does not hold {what}; see the documentation of it"
        raise DataError(message)
    return home
