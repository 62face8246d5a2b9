"""CIFAR-10 and CIFAR-100: small photographs, kept in memory at their own size."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from robust_tuning.data.augmentation import Augmentation
from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.data.class_lists import read_classes
from robust_tuning.data.decoding import decode
from robust_tuning.data.examples import TensorExamples
from robust_tuning.data.hub import HubImages, HubSource
from robust_tuning.data.listing import Listing, held_out_of, require_sizes
from robust_tuning.data.locating import find_or_prepare
from robust_tuning.data.pickled_rows import Rows, read_rows
from robust_tuning.data.remote import RemoteFile
from robust_tuning.data.tables import labels_within
from robust_tuning.errors import ConfigurationError
from robust_tuning.types import Split


@dataclass(frozen=True)
class CifarFiles:
    """What tells the two sets apart.

    Attributes:
        folder: That the archive unpacks to.
        archive: The published file.
        classes: Name of the class list.
        label_key: Of the pickled labels.
        train: MD5 of each training file by its name.
        test: MD5 of each test file.
        hub: The study's source.
    """

    folder: str
    archive: RemoteFile
    classes: str
    label_key: str
    train: Mapping[str, str]
    test: Mapping[str, str]
    hub: HubSource


class Cifar(BenchmarkDataModule, ABC):
    """60,000 photographs of 32x32 pixels, split officially 50,000 / 10,000.

    Images travel as they are, uint8 at 32 pixels; the backbone resizes them on its device. `root`
    is or holds the official folder or the official archive. An example's index is its row, those
    of the test counted on behind the training rows; 10 % of the training rows are held out for
    validation, chosen by row number and stratified.

    Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

    Args:
        root: Folder of the files.
        source: `local`, or `hub` for the same set on the Hugging Face hub (extra `hub`).
        download: Fetch the archive if it is not below `root`.
        validation_fraction: Share of the training images to validate on, in (0, 1).
        expected: Images where one's own version differs, such as `{train: 4000, test: 1000}`.
        batch_size: See `BenchmarkDataModule`.
        eval_batch_size: See `BenchmarkDataModule`.
        num_workers: See `BenchmarkDataModule`.
        train_limit: See `BenchmarkDataModule`.
        augmentation: See `BenchmarkDataModule`.
        seed: See `BenchmarkDataModule`.

    Raises:
        ConfigurationError: If the fraction is outside (0, 1).
        DataError: If files are missing or damaged.
    """

    official: ClassVar[dict[str, int]] = {"train": 50_000, "test": 10_000}

    def __init__(
        self,
        root: str,
        *,
        source: Literal["local", "hub"] = "local",
        download: bool = False,
        validation_fraction: float = 0.1,
        expected: dict[str, int] | None = None,
        batch_size: int = 128,
        eval_batch_size: int = 256,
        num_workers: int = 0,
        train_limit: int | None = None,
        augmentation: Augmentation = "none",
        seed: int = 0,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            train_limit=train_limit,
            augmentation=augmentation,
            seed=seed,
        )
        if not 0 < validation_fraction < 1:
            message = f"data.validation_fraction is {validation_fraction}, expected in (0, 1)"
            raise ConfigurationError(message)
        self.root = root
        self.source = source
        self.download = download
        self.validation_fraction = validation_fraction
        self.expected = expected

    @property
    @abstractmethod
    def files(self) -> CifarFiles:
        """What tells this set from the other."""

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Names in the order of the official labels."""
        return read_classes(self.files.classes)

    @property
    def expected_sizes(self) -> dict[str, int]:
        """Images that the files must hold."""
        return self.official if self.expected is None else self.expected

    @property
    def split_sizes(self) -> dict[Split, int]:
        """Examples of each split, known before any file is read."""
        sizes = self.expected_sizes
        held_out = held_out_of(sizes["train"], self.validation_fraction)
        return {
            "train": sizes["train"] - held_out,
            "validation": held_out,
            "test": sizes["test"],
        }

    def remote_files(self) -> tuple[RemoteFile, ...]:
        """The one archive."""
        return (self.files.archive,)

    def find(self, root: Path) -> Path | None:
        """The folder with the test file."""
        marker = next(iter(self.files.test))
        places = (root / self.files.folder, root)
        return next((folder for folder in places if (folder / marker).is_file()), None)

    def prepare_data(self) -> None:
        """Find, or download and unpack, the files; once per machine."""
        if self.source == "local":
            _ = self.home

    @cached_property
    def home(self) -> Path:
        """The folder of the pickled files.

        Raises:
            DataError: If they are missing and cannot be had.
        """
        return find_or_prepare(
            self.root,
            self.find,
            self.remote_files,
            download=self.download,
            what=f"{type(self).__name__} ({self.files.folder})",
        )

    def load(self, split: Split) -> TensorExamples:
        """Load a split into memory."""
        rows = self._rows["test" if split == "test" else "train"]
        listing = self._listings[split]
        offset = len(self._rows["train"].labels) if split == "test" else 0
        chosen = torch.from_numpy(listing.indices - offset)
        return TensorExamples(
            torch.from_numpy(rows.pixels)[chosen],
            torch.from_numpy(listing.labels),
            torch.from_numpy(listing.indices),
        )

    def labels(self, split: Split) -> NDArray[np.int64]:
        """Labels in the order of `load`."""
        return self._listings[split].labels

    def identities(self, split: Split) -> list[str]:
        """`train/ROW` or `test/ROW`."""
        return list(self._listings[split].files)

    @cached_property
    def _listings(self) -> dict[Split, Listing]:
        whole, offset = {}, 0
        for half, rows in self._rows.items():
            places = np.arange(len(rows.labels), dtype=np.int64)
            names = tuple(f"{half}/{place}" for place in places)
            whole[half] = Listing(names, rows.labels, places + offset)
            offset += len(places)
        validation, train = whole["train"].hold_out(self.validation_fraction)
        return {"train": train, "validation": validation, "test": whole["test"]}

    @cached_property
    def _rows(self) -> dict[str, Rows]:
        if self.source == "hub":
            return {half: self._from_hub(half) for half in ("train", "test")}
        rows = {
            "train": self._from_files(self.files.train),
            "test": self._from_files(self.files.test),
        }
        sizes = {half: len(content.labels) for half, content in rows.items()}
        require_sizes(type(self).__name__, sizes, self.expected_sizes)
        return rows

    def _from_files(self, files: Mapping[str, str]) -> Rows:
        # Files of one's own version have other checksums, but not another form.
        checked = self.expected is None
        parts = [
            read_rows(self.home / name, self.files.label_key, md5 if checked else None)
            for name, md5 in files.items()
        ]
        labels = np.concatenate([part.labels for part in parts])
        labels_within(labels.tolist(), self.num_classes, self.home)
        return Rows(np.concatenate([part.pixels for part in parts]), labels)

    def _from_hub(self, half: str) -> Rows:
        listing = self.files.hub.listings(self.num_classes)[half]
        images = HubImages(self.files.hub, listing.files)
        pixels = [decode(images.read(i), images.name(i)).numpy() for i in range(len(images))]
        return Rows(np.stack(pixels), listing.labels)
