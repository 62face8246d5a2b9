"""Caltech-256: photographs of 256 kinds of objects."""

import re
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from robust_tuning.data.augmentation import Augmentation
from robust_tuning.data.cache import Cache
from robust_tuning.data.class_lists import read_counts
from robust_tuning.data.file_benchmark import FileBenchmark
from robust_tuning.data.hub import HubSource
from robust_tuning.data.listing import Listing, files_below, held_out_of, some_of
from robust_tuning.data.remote import RemoteFile
from robust_tuning.errors import DataError
from robust_tuning.types import Split

_FOLDER = "256_ObjectCategories"
_CLUTTER = "257.clutter"
_IMAGE = re.compile(r"(\d{3})\.[^/]+/\1_\d{4}\.jpg")
_TEST_FRACTION = 0.1
_ARCHIVE = RemoteFile(
    name="256_ObjectCategories.tar",
    url="https://data.caltech.edu/records/nyy15-4j048/files/256_ObjectCategories.tar",
    size=1_183_006_720,
    md5="67b4f42ca05d46448c6bb8ecd2220f6d",
    sha256="08ff01b03c65566014ae88eb0490dbe4419fc7ac4de726ee1163e39fd809543e",
    unpacks=(_FOLDER,),
    max_entries=40_000,
)


class Caltech256(FileBenchmark):
    """Caltech-256: 29,780 photographs of 256 kinds of objects; 81 % train, 9 % validate, 10 % test.

    `root` is or holds `256_ObjectCategories/` or its tar file. There is no official split: 10 % of
    the images are the test, chosen by their names and stratified, the same everywhere. Labels
    count from 0, in the order of the folders. An example's index is its place among all 30,607
    images in the order of their names.

    Source: G. Griffin, A. Holub, P. Perona, "Caltech-256 Object Category Dataset", CNS-TR-2007-001,
    2007. The study's variant on the hub holds all 257 classes (`clutter` is one) in another random
    split, which cannot be rebuilt from the official file.

    Args:
        root: See `FileBenchmark`.
        clutter: Train the 827 images of `257.clutter` as a class of their own.
        source: See `FileBenchmark`.
        download: See `FileBenchmark`.
        validation_fraction: Share of the images that are not in the test; 0.1 makes 9 % of all.
        image_size: See `FileBenchmark`.
        crop_fraction: See `FileBenchmark`.
        cache: See `FileBenchmark`.
        cache_dir: See `FileBenchmark`.
        skip: See `FileBenchmark`.
        expected: Images of all classes in use (`{all: 29780}`) where one's own version differs.
        batch_size: See `BenchmarkDataModule`.
        eval_batch_size: See `BenchmarkDataModule`.
        num_workers: See `BenchmarkDataModule`.
        train_limit: See `BenchmarkDataModule`.
        augmentation: See `BenchmarkDataModule`.
        seed: See `BenchmarkDataModule`.
    """

    hub: ClassVar[HubSource | None] = HubSource("ilee0022/Caltech-256", first_label=1)

    def __init__(
        self,
        root: str,
        *,
        clutter: bool = False,
        source: Literal["local", "hub"] = "local",
        download: bool = False,
        validation_fraction: float = 0.1,
        image_size: int | None = None,
        crop_fraction: float | None = None,
        cache: Cache = "none",
        cache_dir: str | None = None,
        skip: str | None = None,
        expected: dict[str, int] | None = None,
        batch_size: int = 128,
        eval_batch_size: int = 256,
        num_workers: int = 2,
        train_limit: int | None = None,
        augmentation: Augmentation = "none",
        seed: int = 0,
    ) -> None:
        super().__init__(
            root,
            source=source,
            download=download,
            validation_fraction=validation_fraction,
            image_size=image_size,
            crop_fraction=crop_fraction,
            cache=cache,
            cache_dir=cache_dir,
            skip=skip,
            expected=expected,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            train_limit=train_limit,
            augmentation=augmentation,
            seed=seed,
        )
        self.clutter = clutter

    @property
    def benchmark(self) -> str:
        """The class's name, with what makes it another benchmark."""
        return super().benchmark + ("-clutter" if self.clutter and self.source == "local" else "")

    @cached_property
    def official_classes(self) -> tuple[str, ...]:
        """Names in the order of the folders, without their numbers."""
        return tuple(name.partition(".")[2] for name in self._counts)

    @property
    def expected_sizes(self) -> dict[str, int]:
        """Images of all classes in use."""
        return {"all": sum(self._counts.values())} if self.expected is None else self.expected

    @property
    def split_sizes(self) -> dict[Split, int]:
        """Examples of each split, known before any file is read."""
        if self.source == "hub":
            return super().split_sizes
        total = self.expected_sizes["all"]
        test = held_out_of(total, _TEST_FRACTION)
        held_out = held_out_of(total - test, self.validation_fraction)
        return {"train": total - test - held_out, "validation": held_out, "test": test}

    def remote_files(self) -> tuple[RemoteFile, ...]:
        """The one archive."""
        return (_ARCHIVE,)

    def find(self, root: Path) -> Path | None:
        """The folder with the classes' folders."""
        first = next(iter(self._counts))
        return next((f for f in (root / _FOLDER, root) if (f / first).is_dir()), None)

    def listings(self) -> dict[str, Listing]:
        """Part the images of all classes into training and test."""
        found = [file for file in files_below(self.home) if _IMAGE.fullmatch(file)]
        ours = [file for file in found if file.partition("/")[0] in self._counts]
        numbers = [int(file[:3]) - 1 for file in ours]
        # The clutter comes last, so that the others have the same index with and without it.
        everything = Listing(
            tuple(ours),
            np.array(numbers, dtype=np.int64),
            np.arange(len(ours), dtype=np.int64),
        )
        test, train = everything.hold_out(_TEST_FRACTION, "test")
        return {"train": train, "test": test, "all": everything}

    @cached_property
    def _counts(self) -> dict[str, int]:
        counts = read_counts("caltech256")
        with_clutter = self.clutter or self.source == "hub"
        return {name: n for name, n in counts.items() if with_clutter or name != _CLUTTER}

    @property
    def official_files(self) -> frozenset[str] | None:
        """The official images of the classes in use, unless one's own version is expected."""
        if self.expected is not None:
            return None
        return frozenset(
            f"{name}/{name[:3]}_{number:04d}.jpg"
            for name, count in self._counts.items()
            for number in range(1, count + 1)
        )

    def require_complete(self, listings: dict[str, Listing]) -> None:
        """Refuse a folder that does not hold exactly the official images, or as many as expected.

        Raises:
            DataError: Names some that are missing or surplus.
        """
        official = self.official_files
        if official is None:
            super().require_complete(listings)
            return
        found = listings["all"].files
        missing, surplus = official - set(found), set(found) - official
        if missing or surplus:
            parts = [
                f"{what} {len(files)} images ({some_of(files)})"
                for what, files in (("lacks", missing), ("has a surplus of", surplus))
                if files
            ]
            message = (
                f"{self.home} {' and '.join(parts)}; remove it and prepare it again, or say in "
                "data.expected (all: N) how many images your own version holds"
            )
            raise DataError(message)
