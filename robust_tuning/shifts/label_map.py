"""Which class of a benchmark each class of another set of images is."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from robust_tuning.errors import ConfigurationError, DataError

LEFT_OUT = -1


@dataclass(frozen=True)
class LabelMap:
    """From the labels of a set of images to those of a benchmark.

    Attributes:
        names: The set's classes, in the order of its labels.
        classes: The benchmark's.
        targets: For each of the set's classes the benchmark's label, or -1 to leave its images out.
        masked: Whether benchmark classes that no class of the set becomes are no answers: their
            logits do not take part.

    Raises:
        ConfigurationError: If a target is no label of the benchmark, or all are left out.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    targets: tuple[int, ...]
    masked: bool = False

    def __post_init__(self) -> None:
        if len(self.names) != len(self.targets):
            message = (
                f"{len(self.targets)} targets for {len(self.names)} classes, expected one each"
            )
            raise ConfigurationError(message)
        wrong = [t for t in self.targets if not LEFT_OUT <= t < len(self.classes)]
        if wrong or not self.covered:
            what = f"label {wrong[0]}" if wrong else "no class at all"
            message = (
                f"a label map leads to {what} of the benchmark, expected labels from 0 to "
                f"{len(self.classes) - 1}, or {LEFT_OUT} for classes to leave out"
            )
            raise ConfigurationError(message)

    @classmethod
    def identity(cls, classes: Sequence[str]) -> Self:
        """The benchmark's own classes."""
        return cls(tuple(classes), tuple(classes), tuple(range(len(classes))))

    @classmethod
    def by_name(
        cls,
        names: Sequence[str],
        classes: Sequence[str],
        renamed: Mapping[str, str | None] | None = None,
        *,
        masked: bool = False,
        where: str = "the label map",
    ) -> Self:
        """Match classes by what they are called.

        Args:
            names: The set's classes.
            classes: The benchmark's.
            renamed: For a class of the set what the benchmark calls it, or None to leave its images
                out; a class that is not in it goes by its own name.
            masked: See the class.
            where: What error messages call `renamed`.

        Raises:
            ConfigurationError: If a name on either side does not exist.
        """
        renamed = renamed or {}
        if surplus := sorted(set(renamed) - set(names)):
            hint = _near(surplus[0], names)
            message = f"{where} names {_few(surplus)}, which the set does not have{hint}"
            raise ConfigurationError(message)
        labels = {name: label for label, name in enumerate(classes)}
        wanted = {name: renamed.get(name, name) for name in names}
        unknown = [name for name, to in wanted.items() if to is not None and to not in labels]
        if unknown:
            to = str(wanted[unknown[0]])
            message = (
                f"{where}: {_few(unknown)} would become {to!r}, which is no class of the "
                f"benchmark{_near(to, classes)}; write the class it is, or null to leave its "
                "images out"
            )
            raise ConfigurationError(message)
        targets = [LEFT_OUT if to is None else labels[to] for to in wanted.values()]
        return cls(tuple(names), tuple(classes), tuple(targets), masked)

    @property
    def covered(self) -> tuple[int, ...]:
        """Labels of the benchmark that occur, ascending."""
        return tuple(sorted({target for target in self.targets if target != LEFT_OUT}))

    @property
    def answers(self) -> tuple[int, ...] | None:
        """Labels whose logits take part; None for all."""
        return self.covered if self.masked else None

    def apply(self, labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Relabel a set.

        Args:
            labels: `(N,)`, the set's own.

        Returns:
            Positions of the examples that stay `(M,)`, and their labels in the benchmark `(M,)`.

        Raises:
            DataError: If a label is none of the set's classes.
        """
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(self.names):
            message = (
                f"labels run from {labels.min()} to {labels.max()}, expected 0 to "
                f"{len(self.names) - 1}"
            )
            raise DataError(message)
        mapped = np.array(self.targets, dtype=np.int64)[labels]
        kept = np.flatnonzero(mapped != LEFT_OUT)
        return kept, mapped[kept]

    def findings(self, labels: NDArray[np.int64]) -> list[str]:
        """What is not one to one, in words; nothing for a set with all classes of the benchmark.

        Args:
            labels: `(N,)`, the set's own, of all its examples.
        """
        counts = np.bincount(labels, minlength=len(self.names))
        pairs = list(zip(self.names, self.targets, counts, strict=True))
        left_out = [name for name, target, _ in pairs if target == LEFT_OUT]
        empty = [name for name, target, n in pairs if target != LEFT_OUT and not n]
        images = sum(int(n) for _, target, n in pairs if target == LEFT_OUT)
        uncovered = [name for label, name in enumerate(self.classes) if label not in self.covered]
        found = []
        if left_out:
            found.append(
                f"{images:,} images of {len(left_out)} classes without a counterpart are left out "
                f"({_few(left_out)})"
            )
        if empty:
            found.append(f"{len(empty)} classes have no images ({_few(empty)})")
        if uncovered:
            rule = "are masked" if self.masked else "can be answered all the same"
            found.append(
                f"{len(uncovered)} classes of the benchmark do not occur and {rule} "
                f"({_few(uncovered)})"
            )
        return found


def _few(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
