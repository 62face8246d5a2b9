"""Stanford Dogs: 120 breeds."""

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from robust_tuning.data.class_lists import read_classes
from robust_tuning.data.file_benchmark import FileBenchmark
from robust_tuning.data.hub import HubSource
from robust_tuning.data.listing import Listing
from robust_tuning.data.remote import RemoteFile
from robust_tuning.data.tables import labels_within
from robust_tuning.errors import DataError

_BASE = "http://vision.stanford.edu/aditya86/ImageNetDogs"
_LISTS = ("file_list.mat", "train_list.mat", "test_list.mat")
_FILES = (
    RemoteFile(
        name="images.tar",
        url=f"{_BASE}/images.tar",
        size=793_579_520,
        md5="1bb1f2a596ae7057f99d7d75860002ef",
        sha256="a443fc2f9a851aa1a7b8e4fa4af94b8459fce2c9f5a2f4dd4669cf9673a4ec58",
        unpacks=("Images",),
        max_entries=30_000,
    ),
    RemoteFile(
        name="lists.tar",
        url=f"{_BASE}/lists.tar",
        size=481_280,
        md5="edbb9f16854ec66506b5f09b583e0656",
        sha256="34b47cacd9a98b5d150e084f24d29391c084c55272295ec65c85651bc35f4d6c",
        unpacks=_LISTS,
        max_entries=100,
    ),
)


class StanfordDogs(FileBenchmark):
    """Stanford Dogs: 20,580 photographs of 120 breeds, split officially 12,000 / 8,580.

    `root` holds `Images/` and the three `.mat` lists, or `images.tar` and `lists.tar`. An example's
    index is its place in the sorted names of all images.

    Source: A. Khosla et al., "Novel Dataset for Fine-Grained Image Categorization", FGVC workshop,
    2011. The study's variant on the hub is split at random (14,406 / 6,174): its numbers do not
    compare with those of the official split.
    """

    official: ClassVar[dict[str, int]] = {"train": 12_000, "test": 8_580}
    hub: ClassVar[HubSource | None] = HubSource("amaye15/stanford-dogs", image="pixel_values")

    @cached_property
    def official_classes(self) -> tuple[str, ...]:
        """Breeds in the order of their folders."""
        return tuple(name.partition("-")[2] for name in read_classes("stanford_dogs"))

    def remote_files(self) -> tuple[RemoteFile, ...]:
        """The images and the lists."""
        return _FILES

    def find(self, root: Path) -> Path | None:
        """The root, once images and lists are there."""
        complete = (root / "Images").is_dir() and all((root / f).is_file() for f in _LISTS)
        return root if complete else None

    def listings(self) -> dict[str, Listing]:
        """Read both official lists.

        Raises:
            DataError: If a list is damaged or names one image twice.
        """
        read = {split: self._read(f"{split}_list.mat") for split in ("train", "test")}
        names = sorted(name for files, _ in read.values() for name in files)
        places = {name: place for place, name in enumerate(names)}
        if len(places) != len(names):
            message = f"{self.home}: an image is in train_list.mat and in test_list.mat, or twice"
            raise DataError(message)
        return {
            split: Listing(
                files, labels, np.array([places[file] for file in files], dtype=np.int64)
            )
            for split, (files, labels) in read.items()
        }

    def _read(self, name: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        from scipy.io import loadmat  # slow to import, and needed here alone

        path = self.home / name
        try:
            table: dict[str, Any] = loadmat(path, squeeze_me=True)
            files = tuple(f"Images/{file}" for file in np.atleast_1d(table["file_list"]))
            labels = [int(label) for label in np.atleast_1d(table["labels"])]
        except Exception as error:  # damaged files make the reader raise anything
            message = f"{path} is no list of Stanford Dogs ({error}); unpack lists.tar again"
            raise DataError(message) from error
        if len(files) != len(labels):
            message = f"{path} names {len(files)} images and {len(labels)} labels"
            raise DataError(message)
        return files, labels_within(labels, self.num_classes, path, first=1)
