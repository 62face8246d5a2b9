"""Which files belong to a split, with which labels; and whether they are there."""

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robust_tuning.data.splits import stratified_order
from robust_tuning.errors import DataError


@dataclass(frozen=True)
class Listing:
    """The files of a split.

    Attributes:
        files: Paths below the benchmark's folder, separated by `/`: the examples' identities.
        labels: `(N,)` int64.
        indices: `(N,)` int64, the identity of each example as a number; the same whichever other
            splits, domains or classes are in use.
    """

    files: tuple[str, ...]
    labels: NDArray[np.int64]
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.files)

    @classmethod
    def join(cls, listings: Sequence["Listing"]) -> "Listing":
        """The files of one or several listings behind one another."""
        return cls(
            tuple(file for listing in listings for file in listing.files),
            np.concatenate([listing.labels for listing in listings]),
            np.concatenate([listing.indices for listing in listings]),
        )

    def take(self, positions: NDArray[np.int64] | NDArray[np.bool_]) -> "Listing":
        """The files at `positions`, in that order."""
        chosen = np.arange(len(self))[positions]
        files = tuple(self.files[position] for position in chosen)
        return Listing(files, self.labels[chosen], self.indices[chosen])

    def without(self, skipped: Collection[str]) -> "Listing":
        """The files that are not in `skipped`."""
        return self.take(np.array([file not in skipped for file in self.files], dtype=bool))

    def hold_out(self, fraction: float, purpose: str = "split") -> tuple["Listing", "Listing"]:
        """Part the files into a stratified `fraction`, chosen by their names, and the rest.

        Args:
            fraction: Of the number of files, in (0, 1); neither part is empty.
            purpose: Another word gives an independent choice.

        Returns:
            The part and the rest, both in the order of this listing.
        """
        order = stratified_order(self.labels, self.files, seed=0, purpose=purpose)
        held_out = held_out_of(len(self), fraction)
        return self.take(np.sort(order[:held_out])), self.take(np.sort(order[held_out:]))


def held_out_of(size: int, fraction: float) -> int:
    """How many of `size` examples a fraction is, leaving at least one on either side.

    >>> held_out_of(5994, 0.1), held_out_of(2, 0.01)
    (599, 1)
    """
    return max(1, min(round(fraction * size), size - 1))


def files_below(folder: Path, suffixes: Collection[str] | None = None) -> list[str]:
    """Every file below a folder, by its path below it, sorted.

    Args:
        folder: The folder; a missing one has no files.
        suffixes: Only files that end so, in lower case; None lists all.
    """
    found = []
    for directory, _, names in os.walk(folder):
        place = Path(directory).relative_to(folder).as_posix()
        prefix = "" if place == "." else f"{place}/"
        found += [prefix + name for name in names]
    if suffixes is not None:
        found = [f for f in found if os.path.splitext(f)[1].lower() in suffixes]  # noqa: PTH122  fast
    return sorted(found)


def missing_files(folder: Path, files: Iterable[str]) -> list[str]:
    """Those of `files` that are not below `folder`, found by listing each directory once."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for file in files:
        directory, _, name = file.rpartition("/")
        wanted[directory].add(name)
    missing = []
    for directory, names in wanted.items():
        try:
            present = set(os.listdir(folder / directory))  # noqa: PTH208  names, not paths
        except OSError:
            present = set()
        missing += [f"{directory}/{name}".lstrip("/") for name in names - present]
    return sorted(missing)


def require_sizes(benchmark: str, found: Mapping[str, int], expected: Mapping[str, int]) -> None:
    """Refuse a list that does not hold what its benchmark is known to hold.

    Raises:
        DataError: Names every list that differs.
    """
    odd = [
        f"{name} lists {found.get(name, 0)} images, expected {expected[name]}"
        for name in expected
        if found.get(name, 0) != expected[name]
    ]
    if odd:
        message = (
            f"{benchmark}: {'; '.join(odd)}; prepare it again, or say in data.expected how many "
            "images your own version holds"
        )
        raise DataError(message)


def some_of(names: Collection[str], shown: int = 3) -> str:
    """A few of many names.

    >>> some_of(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    first = ", ".join(sorted(names)[:shown])
    return first if len(names) <= shown else f"{first} and {len(names) - shown} more"
