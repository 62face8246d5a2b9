"""Equal images in a benchmark's lists."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from robust_tuning.data.check_report import ACROSS_SPLITS, CONFLICTING, DUPLICATE, Finding


@dataclass(frozen=True)
class Occurrence:
    """An image in a list.

    Attributes:
        file: Its path below the benchmark's folder.
        split: `train`, `validation` or `test`.
        label: Name of its class.
        digest: Of its content; equal images have equal ones.
    """

    file: str
    split: str
    label: str
    digest: bytes


def find_duplicates(occurrences: Iterable[Occurrence]) -> list[Finding]:
    """Groups of equal images, each by the worst that can be said of it."""
    groups = defaultdict(list)
    for occurrence in occurrences:
        groups[occurrence.digest].append(occurrence)
    return [_group(group) for group in groups.values() if len(group) > 1]


def _group(group: Sequence[Occurrence]) -> Finding:
    ordered = sorted(group, key=lambda occurrence: (occurrence.file, occurrence.split))
    kind = DUPLICATE
    if len({occurrence.split for occurrence in group}) > 1:
        kind = ACROSS_SPLITS
    if len({occurrence.label for occurrence in group}) > 1:
        kind = CONFLICTING
    detail = ", ".join(f"{occurrence.label} in {occurrence.split}" for occurrence in ordered)
    return Finding(kind, tuple(occurrence.file for occurrence in ordered), detail)
