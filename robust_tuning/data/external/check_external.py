"""Checking the files of a published image set."""

from pathlib import Path

from robust_tuning.data.check_published import find_absent, find_wrong_checksums
from robust_tuning.data.check_report import (
    ABSENT,
    CHECKSUM,
    LIST,
    Finding,
    ListSummary,
    Report,
    summarise,
)
from robust_tuning.data.checksums import digest
from robust_tuning.data.external.external_set import ExternalSet, Part
from robust_tuning.data.listing import Listing, missing_files
from robust_tuning.errors import DataError
from robust_tuning.storage import storage_errors

_USE = "evaluation"


def check_external(external: ExternalSet, root: str) -> Report:
    """Read every file of a set and report what is wrong with it; nothing is changed.

    Files of parts that are not usually measured on may be absent.

    Args:
        external: The set.
        root: What is or holds its folder.

    Raises:
        DataError: If a folder cannot be read.
    """
    place = Path(root).expanduser().resolve()
    with storage_errors(f"checking {external.name}", place):
        home = next((f for f in external.folders(place) if _present(external, f)), None)
        findings = []
        if external.folder:  # other files are not archives: they are verified below
            unpacked = home is not None
            findings = find_wrong_checksums(place, external.remote, unpacked=unpacked, own=False)
        if home is None:
            findings += find_absent(place, external.remote)
            return Report(external.name, place, 0, (), tuple(findings), _USE)
        usual = {file for name in external.usual for file in external.parts[name].files}
        findings += [
            Finding(ABSENT, (file,), f"part of {external.name}")
            for file in missing_files(home, usual)
        ]
        findings += _wrong_checksums(external, home)
    lists: list[ListSummary] = []
    for name, part in external.parts.items():
        if not missing_files(home, part.files):
            summary, odd = _check_part(external, home, name, part)
            lists += [] if summary is None else [summary]
            findings += odd
    images = sum(summary.images for summary in lists)
    return Report(external.name, home, images, tuple(lists), tuple(findings), _USE)


def _present(external: ExternalSet, folder: Path) -> list[str]:
    return [name for name in external.checksums if (folder / name).is_file()]


def _wrong_checksums(external: ExternalSet, home: Path) -> list[Finding]:
    findings = []
    for name in _present(external, home):
        algorithm, digits = external.checksums[name]
        found = digest(home / name, algorithm)
        if found != digits:
            detail = f"has the {algorithm} {found}, expected {digits}"
            findings.append(Finding(CHECKSUM, (name,), detail))
    return findings


def _check_part(
    external: ExternalSet, home: Path, name: str, part: Part
) -> tuple[ListSummary | None, list[Finding]]:
    """What a part holds, if it can be opened, and what is wrong with it."""
    expected = sum(part.counts)
    try:
        rows = external.read(
            home / part.pixels, home / part.labels, expected, len(external.classes)
        )
    except DataError as error:
        return None, [Finding(LIST, part.files, str(error))]
    files = tuple(map(str, range(expected)))
    listing = Listing(files, rows.labels, rows.labels)
    summary = summarise(name, listing, listing, expected, external.classes)
    try:
        external.require_counts(home / part.labels, part, rows.labels)
    except DataError as error:
        return summary, [Finding(LIST, (part.labels,), str(error))]
    return summary, []
