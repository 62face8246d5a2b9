"""Comparing what lies below a root with what a benchmark's authors publish."""

from collections.abc import Sequence
from pathlib import Path

from robust_tuning.data.check_report import ABSENT, ARCHIVE, CHECKSUM, Finding
from robust_tuning.data.download import verify
from robust_tuning.data.remote import RemoteFile
from robust_tuning.errors import DataError


def find_absent(root: Path, files: Sequence[RemoteFile]) -> list[Finding]:
    """Say what a root lacks that does not hold its benchmark."""
    found = []
    for file in files:
        names = tuple(name for name in file.unpacks or (file.name,) if not (root / name).exists())
        packed = file.unpacks and (root / file.name).exists()
        remedy = f"{file.name} lies here: prepare the benchmark" if packed else file.description
        if names:
            found.append(Finding(ABSENT, names, remedy))
    return found or [Finding(ABSENT, (str(root),), "what is below it is not complete")]


def find_wrong_checksums(
    root: Path, files: Sequence[RemoteFile], *, unpacked: bool, own: bool
) -> list[Finding]:
    """Verify the published files that lie in a root, archives as well as those used as they are.

    Args:
        root: The folder of the benchmark.
        files: What is published of it.
        unpacked: Whether the benchmark is there, so that its archives are not needed any more.
        own: Whether files that are used as they are may differ from the published ones.
    """
    found = []
    for file in files:
        path = root / file.name
        if not path.is_file() or (own and not file.unpacks):
            continue
        try:
            verify(file, path)
        except DataError as error:
            spent = file.unpacks and (unpacked or file.is_present(root))
            found.append(Finding(ARCHIVE if spent else CHECKSUM, (file.name,), str(error)))
    return found
