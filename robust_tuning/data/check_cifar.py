"""Checking the pickled files of CIFAR."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from robust_tuning.data.check_duplicates import Occurrence, find_duplicates
from robust_tuning.data.check_published import find_absent, find_wrong_checksums
from robust_tuning.data.check_report import (
    ABSENT,
    CHECKSUM,
    LIST,
    SIZE,
    Finding,
    ListSummary,
    Report,
    summarise,
)
from robust_tuning.data.cifar import Cifar
from robust_tuning.data.listing import Listing
from robust_tuning.data.pickled_rows import Rows, read_rows
from robust_tuning.data.tables import labels_within
from robust_tuning.errors import DataError


def check_cifar(data: Cifar) -> Report:
    """Read every file and compare every row with the others.

    A row is called `FILE/ROW`, counted from 0 in each file.
    """
    root = Path(data.root).expanduser().resolve()
    home = data.find(root)
    findings = find_wrong_checksums(
        root, data.remote_files(), unpacked=home is not None, own=data.expected is not None
    )
    if home is None:
        findings += find_absent(root, data.remote_files())
        return Report(type(data).__name__, root, 0, (), tuple(findings))
    lists: list[ListSummary] = []
    occurrences: list[Occurrence] = []
    for half, files in (("train", data.files.train), ("test", data.files.test)):
        usable: dict[str, Rows] = {}
        for name, md5 in files.items():
            rows, finding = _read(data, home / name, md5)
            findings += [] if finding is None else [finding]
            if rows is not None:
                usable[name] = rows
        listing = _listing(usable)
        expected = data.expected_sizes.get(half)
        if expected not in (None, len(listing)):
            detail = f"{len(listing)} images, expected {expected}"
            findings.append(Finding(SIZE, (half,), detail))
        lists.append(summarise(half, listing, listing, expected, data.class_names))
        occurrences += _occurrences(half, listing, usable, data.class_names)
    findings += find_duplicates(occurrences)
    return Report(type(data).__name__, home, len(occurrences), tuple(lists), tuple(findings))


def _read(data: Cifar, path: Path, md5: str) -> tuple[Rows | None, Finding | None]:
    """The rows of a file, if they have the right form, and what is wrong with it."""
    if not path.exists():
        return None, Finding(ABSENT, (path.name,), f"part of {data.files.archive.description}")
    try:
        rows = read_rows(path, data.files.label_key, None)
        labels_within(rows.labels.tolist(), data.num_classes, path)
    except DataError as error:
        return None, Finding(LIST, (path.name,), str(error))
    if data.expected is None:
        try:
            read_rows(path, data.files.label_key, md5)
        except DataError as error:
            return rows, Finding(CHECKSUM, (path.name,), str(error))
    return rows, None


def _listing(files: dict[str, Rows]) -> Listing:
    names = [f"{name}/{row}" for name, rows in files.items() for row in range(len(rows.labels))]
    labels = [rows.labels for rows in files.values()] or [np.zeros(0, dtype=np.int64)]
    return Listing(tuple(names), np.concatenate(labels), np.arange(len(names), dtype=np.int64))


def _occurrences(
    half: str, listing: Listing, files: dict[str, Rows], classes: tuple[str, ...]
) -> Iterator[Occurrence]:
    pixels = (row for rows in files.values() for row in rows.pixels)
    for name, label, row in zip(listing.files, listing.labels, pixels, strict=True):
        digest = hashlib.blake2b(row.tobytes(), digest_size=16).digest()
        yield Occurrence(name, half, classes[label], digest)
