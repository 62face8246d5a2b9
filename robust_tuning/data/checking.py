"""Checking the files of a benchmark: reads everything, changes nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.data.check_cifar import check_cifar
from robust_tuning.data.check_duplicates import Occurrence, find_duplicates
from robust_tuning.data.check_images import examine_all
from robust_tuning.data.check_published import find_absent, find_wrong_checksums
from robust_tuning.data.check_report import (
    ABSENT,
    CLASS_COUNT,
    LACKING,
    LIST,
    SIZE,
    SURPLUS,
    UNLISTED,
    Finding,
    ListSummary,
    Report,
    summarise,
)
from robust_tuning.data.cifar import Cifar
from robust_tuning.data.domainnet import DomainNet
from robust_tuning.data.file_benchmark import FileBenchmark
from robust_tuning.data.image_folder import IMAGE_SUFFIXES
from robust_tuning.data.listing import Listing, files_below
from robust_tuning.data.skipping import read_skip_list
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.storage import storage_errors

_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class _Part:
    """What was found in a benchmark, or in one domain of it."""

    folder: Path
    findings: list[Finding]
    lists: list[ListSummary]
    occurrences: list[Occurrence]
    images: int = 0


def check(data: BenchmarkDataModule, workers: int = 0) -> Report:
    """Read every file of a benchmark and report what is wrong with it, or odd.

    Nothing is downloaded, unpacked or changed. Where a list is damaged, the images that it would
    name are not looked at. Images in the skip list do not count.

    Args:
        data: A benchmark of image files, or one of the CIFARs; of `DomainNet`, the domains trained
            on are checked.
        workers: Processes that read images; 0 reads in this one.

    Raises:
        ConfigurationError: If the benchmark is of another kind.
        DataError: If the skip list or a folder cannot be read.
    """
    if not isinstance(data, Cifar | FileBenchmark):
        message = f"{type(data).__name__} is not made of files that could be checked"
        raise ConfigurationError(message)
    with storage_errors(f"checking {type(data).__name__}", Path(data.root)):
        if isinstance(data, Cifar):
            return check_cifar(data)
        whole: list[FileBenchmark] = [data]
        if isinstance(data, DomainNet):
            whole = [data.alone(domain) for domain in data.domains]
        parts = [_check(part, workers) for part in whole]
    duplicates = find_duplicates(found for part in parts for found in part.occurrences)
    return Report(
        type(data).__name__,
        parts[0].folder,
        sum(part.images for part in parts),
        tuple(summary for part in parts for summary in part.lists),
        (*(finding for part in parts for finding in part.findings), *duplicates),
    )


def _check(data: FileBenchmark, workers: int) -> _Part:
    skipped = frozenset[str]() if data.skip is None else read_skip_list(data.skip)
    root = Path(data.root).expanduser().resolve()
    try:
        home = data.find(root)
    except DataError as error:
        return _Part(root, [Finding(ABSENT, (str(root),), str(error))], [], [])
    files, own = data.remote_files(), data.expected is not None
    findings = find_wrong_checksums(root, files, unpacked=home is not None, own=own)
    if home is None:
        return _Part(root, [*findings, *find_absent(root, files)], [], [])
    try:
        listings = data.listings()
    except DataError as error:
        return _Part(home, [*findings, Finding(LIST, (str(home),), str(error))], [], [])
    findings += [*_sizes(data, listings), *_official(data, listings), *_unlisted(home, listings)]
    kept = {name: listing.without(skipped) for name, listing in listings.items()}
    unreadable, occurrences, images = _read(data, kept, workers)
    return _Part(
        home,
        [*findings, *unreadable],
        list(_summaries(data, listings, kept)),
        occurrences,
        images,
    )


def _sizes(data: FileBenchmark, listings: Mapping[str, Listing]) -> Iterator[Finding]:
    for name, expected in data.expected_sizes.items():
        found = len(listings.get(name, ()))
        if found != expected:
            yield Finding(SIZE, (name,), f"{found} images, expected {expected}")


def _official(data: FileBenchmark, listings: Mapping[str, Listing]) -> Iterator[Finding]:
    """Compare with the official files, where not lists but what is there makes the benchmark."""
    official = data.official_files
    if official is None:
        return
    found = _all_files(listings)
    yield from (Finding(LACKING, (file,)) for file in official - found)
    yield from (Finding(SURPLUS, (file,)) for file in found - official)
    counts = {
        what: Counter(file.rpartition("/")[0] for file in files)
        for what, files in (("found", found), ("official", official))
    }
    for folder in counts["found"] | counts["official"]:
        images, expected = counts["found"][folder], counts["official"][folder]
        if images != expected:
            yield Finding(CLASS_COUNT, (folder,), f"{images} images, expected {expected}")


def _unlisted(home: Path, listings: Mapping[str, Listing]) -> Iterator[Finding]:
    """Images in the folders of the listed ones."""
    listed = _all_files(listings)
    for top in {file.partition("/")[0] for file in listed}:
        there = (f"{top}/{file}" for file in files_below(home / top, IMAGE_SUFFIXES))
        yield from (Finding(UNLISTED, (file,)) for file in there if file not in listed)


def _all_files(listings: Mapping[str, Listing]) -> frozenset[str]:
    return frozenset(file for listing in listings.values() for file in listing.files)


def _read(
    data: FileBenchmark, listings: Mapping[str, Listing], workers: int
) -> tuple[list[Finding], list[Occurrence], int]:
    """Read the images of all splits, each once; those that are in order may have duplicates."""
    splits = {split: listings[split] for split in _SPLITS if split in listings}
    files = tuple(dict.fromkeys(file for listing in splits.values() for file in listing.files))
    unused = np.zeros(len(files), dtype=np.int64)
    images = data.encoded(Listing(files, unused, unused))
    examined = dict(zip(files, examine_all(images, workers), strict=True))
    findings = [
        Finding(found.kind, (file,), found.detail)
        for file, found in examined.items()
        if found.kind is not None
    ]
    occurrences = [
        Occurrence(file, split, data.class_names[label], digest)
        for split, listing in splits.items()
        for file, label in zip(listing.files, listing.labels, strict=True)
        if (digest := examined[file].digest) is not None
    ]
    return findings, occurrences, len(files)


def _summaries(
    data: FileBenchmark, listings: Mapping[str, Listing], kept: Mapping[str, Listing]
) -> Iterator[ListSummary]:
    """One for each list; of two that name the same files, for the first."""
    seen = set()
    for name, listing in listings.items():
        if listing.files not in seen:
            seen.add(listing.files)
            expected = data.expected_sizes.get(name)
            yield summarise(name, listing, kept[name], expected, data.class_names)
