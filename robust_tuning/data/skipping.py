"""The list of images that someone has decided to leave out."""

from collections.abc import Iterable
from pathlib import Path

from robust_tuning.errors import DataError


def read_skip_list(path: str) -> frozenset[str]:
    """Read paths below a benchmark's folder, one per line; `#` begins a comment line.

    Raises:
        DataError: If there is no such text file.
    """
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"data.skip is {path!r}, which cannot be read ({error}); expected a text file"
        raise DataError(message) from error
    lines = (line.strip() for line in text.splitlines())
    return frozenset(line for line in lines if line and not line.startswith("#"))


def write_skip_list(path: Path, files: Iterable[str], comment: str) -> None:
    """Write what `read_skip_list` reads."""
    lines = [f"# {comment}", *sorted(files)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
