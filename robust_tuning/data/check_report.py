"""What checking a benchmark's files has found."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robust_tuning.data.listing import Listing


@dataclass(frozen=True)
class Kind:
    """A kind of findings.

    Attributes:
        name: For programs.
        meaning: For people.
        affects_training: Whether training would stop, or learn from other data than it should;
            otherwise the finding is information.
    """

    name: str
    meaning: str
    affects_training: bool


# From the gravest on, in the order in which they are shown.
ABSENT = Kind("absent", "published files that are not there", True)
LIST = Kind("damaged_list", "lists or label files that are damaged", True)
CHECKSUM = Kind("wrong_checksum", "files in use that are not the published ones", True)
SIZE = Kind("wrong_size", "lists with another number of images", True)
CLASS_COUNT = Kind("wrong_class_count", "classes with another number of images", True)
LACKING = Kind(
    "missing_official", "official images that are not there, without which splits differ", True
)
MISSING = Kind("missing", "images that are not there", True)
EMPTY = Kind("empty", "images of zero bytes", True)
TRUNCATED = Kind("truncated", "images that are cut off or damaged", True)
UNREADABLE = Kind("unreadable", "files that are no images of 8 bits per channel", True)
SURPLUS = Kind("surplus", "images beyond the official ones, which would be trained on", True)
CONFLICTING = Kind("conflicting_duplicates", "equal images with different labels", False)
ACROSS_SPLITS = Kind("duplicates_across_splits", "equal images in different splits", False)
DUPLICATE = Kind("duplicates", "equal images in one split", False)
NOT_RGB = Kind("not_rgb", "images not stored as upright RGB, converted when read", False)
UNLISTED = Kind("unlisted", "images that no list names, left alone", False)
ARCHIVE = Kind(
    "wrong_archive", "archives, unpacked already, that are not the published ones", False
)

KINDS = (
    *(ABSENT, LIST, CHECKSUM, SIZE, CLASS_COUNT),
    *(LACKING, MISSING, EMPTY, TRUNCATED, UNREADABLE, SURPLUS),
    *(CONFLICTING, ACROSS_SPLITS, DUPLICATE, NOT_RGB, UNLISTED, ARCHIVE),
)
# What a list of images to skip can help against.
SKIPPABLE = (MISSING, EMPTY, TRUNCATED, UNREADABLE)


@dataclass(frozen=True)
class Finding:
    """Something worth knowing about a file, or about several that belong together.

    Attributes:
        kind: What it is.
        files: Paths below the benchmark's folder; of a list its name, of a class its folder.
        detail: What exactly, in a few words.
    """

    kind: Kind
    files: tuple[str, ...]
    detail: str = ""


@dataclass(frozen=True)
class ListSummary:
    """What a list of images holds.

    Attributes:
        name: Of the list.
        images: That it names.
        expected: How many it must name, where that is known.
        skipped: How many of them are left out.
        smallest: Images of the smallest class, among those not left out.
        median: Of the median class.
        largest: Of the largest class.
        empty_classes: Names of the classes that have none.
    """

    name: str
    images: int
    expected: int | None
    skipped: int
    smallest: int
    median: float
    largest: int
    empty_classes: tuple[str, ...]


def summarise(
    name: str, listing: Listing, kept: Listing, expected: int | None, classes: tuple[str, ...]
) -> ListSummary:
    """Count the images of a list and of its classes.

    Args:
        name: Of the list.
        listing: The whole list.
        kept: The list without what is skipped.
        expected: How many images the whole list must name.
        classes: Names in label order.
    """
    counts = np.bincount(kept.labels, minlength=len(classes))
    return ListSummary(
        name,
        len(listing),
        expected,
        len(listing) - len(kept),
        int(counts.min()),
        float(np.median(counts)),
        int(counts.max()),
        tuple(classes[label] for label in np.flatnonzero(counts == 0)),
    )


@dataclass(frozen=True)
class Report:
    """Everything that a check has found.

    Attributes:
        benchmark: Name of the benchmark's class.
        folder: That `files` of findings are below, or the root where there is no such folder.
        images: How many were read.
        lists: What the lists hold.
        findings: In no order.
        use: What the files are for, in messages.
    """

    benchmark: str
    folder: Path
    images: int
    lists: tuple[ListSummary, ...]
    findings: tuple[Finding, ...]
    use: str = "training"

    @property
    def affects_training(self) -> bool:
        """Whether anything that was found does, or affects whatever else the files are for."""
        return any(finding.kind.affects_training for finding in self.findings)

    def of(self, *kinds: Kind) -> tuple[Finding, ...]:
        """The findings of some kinds, by their files."""
        chosen = (finding for finding in self.findings if finding.kind in kinds)
        return tuple(sorted(chosen, key=lambda finding: (finding.files, finding.detail)))

    def files(self, *kinds: Kind) -> tuple[str, ...]:
        """The files that the findings of some kinds name, each once."""
        return tuple(sorted({file for finding in self.of(*kinds) for file in finding.files}))

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values, every finding with all its files."""
        return {
            "benchmark": self.benchmark,
            "folder": str(self.folder),
            "affects_training": self.affects_training,
            "images": self.images,
            "lists": {
                summary.name: asdict(summary) | {"empty_classes": list(summary.empty_classes)}
                for summary in self.lists
            },
            "problems": {kind.name: _to_json(kind, self.of(kind)) for kind in KINDS},
        }


def _to_json(kind: Kind, findings: Iterable[Finding]) -> dict[str, Any]:
    plain = [{"files": list(finding.files), "detail": finding.detail} for finding in findings]
    return {
        "meaning": kind.meaning,
        "affects_training": kind.affects_training,
        "count": len(plain),
        "findings": plain,
    }
