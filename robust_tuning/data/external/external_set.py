"""Image sets that models are measured on and never trained on, as their authors publish them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robust_tuning.data.checksums import Checksum, require_checksum
from robust_tuning.data.external.arrays import Reader, Rows
from robust_tuning.data.listing import missing_files, some_of
from robust_tuning.data.preparation import prepare
from robust_tuning.data.remote import RemoteFile
from robust_tuning.errors import DataError


@dataclass(frozen=True)
class Part:
    """Images and labels that belong together.

    Attributes:
        pixels: Name of the file of images.
        labels: Of the file of labels, which may be that of other parts too.
        counts: Images of each class.
    """

    pixels: str
    labels: str
    counts: tuple[int, ...]

    @property
    def files(self) -> tuple[str, str]:
        """Both names."""
        return self.pixels, self.labels


@dataclass(frozen=True)
class ExternalSet:
    """A published set of labelled images.

    Attributes:
        name: What commands call it.
        classes: Names in the order of its labels.
        remote: What its authors publish.
        folder: That the archive unpacks to; empty for files that are published one by one.
        parts: What can be measured on, by name.
        usual: The parts that are measured on unless others are asked for.
        checksums: Of each file.
        read: Opens the files of a part.
    """

    name: str
    classes: tuple[str, ...]
    remote: tuple[RemoteFile, ...]
    folder: str
    parts: Mapping[str, Part]
    usual: tuple[str, ...]
    checksums: Mapping[str, Checksum]
    read: Reader

    def open(
        self,
        root: str,
        parts: Sequence[str],
        *,
        download: bool = False,
        expected: int | None = None,
    ) -> dict[str, Rows]:
        """Find, or unpack or download, some parts, verify their files and open them.

        Args:
            root: What is or holds the folder of the files, or holds the archive.
            parts: Their names.
            download: Fetch what is missing.
            expected: Images in each part of one's own version; None takes the published files
                alone, whose checksums and images per class are compared.

        Raises:
            DataError: If files are missing or are not the expected ones.
        """
        home = self.locate(root, parts, download=download)
        return {name: self._open_part(home, self.parts[name], expected) for name in parts}

    def locate(self, root: str, parts: Sequence[str], *, download: bool = False) -> Path:
        """The folder that holds the files of some parts.

        Args:
            root: See `open`.
            parts: See `open`.
            download: See `open`.

        Raises:
            DataError: If files are missing and cannot be had; says which, and where from.
        """
        place = Path(root).expanduser().resolve()
        if (home := self.find(place, parts)) is not None:
            return home
        needed, published = self._needed(parts), self.published(parts)
        if self._partial(place, needed) is None:
            prepare(place, published, download=download)
            if (home := self.find(place, parts)) is not None:
                return home
        home = self._partial(place, needed) or place / self.folder
        remote = "\n  ".join(file.description for file in published)
        message = (
            f"{home} lacks {some_of(missing_files(home, needed))}; put the file there, or remove "
            f"the folder and prepare it again, from\n  {remote}"
        )
        raise DataError(message)

    def find(self, place: Path, parts: Sequence[str]) -> Path | None:
        """The folder that holds all files of some parts; None if there is none."""
        needed = self._needed(parts)
        whole = (folder for folder in self.folders(place) if not missing_files(folder, needed))
        return next(whole, None)

    def published(self, parts: Sequence[str]) -> list[RemoteFile]:
        """What must be had for some parts."""
        needed = self._needed(parts)
        return [file for file in self.remote if self.folder or file.name in needed]

    def folders(self, place: Path) -> Iterator[Path]:
        """Where the files may be: in the published folder below a place, or in the place."""
        if self.folder:
            yield place / self.folder
        yield place

    def _needed(self, parts: Sequence[str]) -> list[str]:
        return sorted({file for name in parts for file in self.parts[name].files})

    def _partial(self, place: Path, needed: Sequence[str]) -> Path | None:
        """A folder unpacked from the archive that holds some of the files, but not all."""
        if not self.folder:
            return None
        some = (f for f in self.folders(place) if len(missing_files(f, needed)) < len(needed))
        return next(some, None)

    def _open_part(self, home: Path, part: Part, expected: int | None) -> Rows:
        images = sum(part.counts) if expected is None else expected
        rows = self.read(home / part.pixels, home / part.labels, images, len(self.classes))
        if expected is None:
            self.require_counts(home / part.labels, part, rows.labels)
            for name in part.files:
                require_checksum(home / name, self.checksums[name], self._remedy())
        return rows

    def require_counts(self, path: Path, part: Part, labels: NDArray[np.int64]) -> None:
        """Refuse labels that do not make up the classes of the published set.

        Args:
            path: Their file, for the error.
            part: What they must belong to.
            labels: `(N,)`.

        Raises:
            DataError: Says which class has how many images.
        """
        counts = np.bincount(labels, minlength=len(self.classes)).tolist()
        odd = [
            f"{name!r} has {found} images, expected {expected}"
            for name, found, expected in zip(self.classes, counts, part.counts, strict=True)
            if found != expected
        ]
        if odd:
            message = f"{path}: {'; '.join(odd[:3])}; {self._remedy()}"
            raise DataError(message)

    def _remedy(self) -> str:
        remote = (
            self.remote[0].description if self.folder else self.remote[0].url.rpartition("/")[0]
        )
        return (
            f"remove it and prepare {self.name} again ({remote}), or say in `expected` how many "
            "images your own version holds"
        )
