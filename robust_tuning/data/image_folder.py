"""One's own images in folders."""

import os
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from robust_tuning.data.augmentation import Augmentation
from robust_tuning.data.cache import Cache
from robust_tuning.data.file_benchmark import FileBenchmark
from robust_tuning.data.listing import Listing, files_below, some_of
from robust_tuning.data.remote import RemoteFile
from robust_tuning.errors import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})


class ImageFolder(FileBenchmark):
    """Images in `ROOT/train/CLASS/` and `ROOT/test/CLASS/`.

    `ROOT/validation/CLASS/` is used where it exists; otherwise a stratified part of the training
    images is held out, chosen by file name. An example's index is its place among the sorted paths
    of all images. Hidden files and folders do not count.

    Args:
        root: The folder.
        validation_fraction: See `FileBenchmark`.
        image_size: See `FileBenchmark`.
        crop_fraction: See `FileBenchmark`.
        cache: See `FileBenchmark`.
        cache_dir: See `FileBenchmark`.
        skip: See `FileBenchmark`.
        batch_size: See `BenchmarkDataModule`.
        eval_batch_size: See `BenchmarkDataModule`.
        num_workers: See `BenchmarkDataModule`.
        train_limit: See `BenchmarkDataModule`.
        augmentation: See `BenchmarkDataModule`.
        seed: See `BenchmarkDataModule`.

    Raises:
        ConfigurationError: If a size or fraction is out of range.
        DataError: If a folder is missing or empty, or, while loading, if an image cannot be read.
    """

    def __init__(
        self,
        root: str,
        *,
        validation_fraction: float = 0.1,
        image_size: int | None = None,
        crop_fraction: float | None = None,
        cache: Cache = "none",
        cache_dir: str | None = None,
        skip: str | None = None,
        batch_size: int = 128,
        eval_batch_size: int = 256,
        num_workers: int = 2,
        train_limit: int | None = None,
        augmentation: Augmentation = "none",
        seed: int = 0,
    ) -> None:
        super().__init__(
            root,
            validation_fraction=validation_fraction,
            image_size=image_size,
            crop_fraction=crop_fraction,
            cache=cache,
            cache_dir=cache_dir,
            skip=skip,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            train_limit=train_limit,
            augmentation=augmentation,
            seed=seed,
        )

    @property
    def benchmark(self) -> str:
        """The folder's name."""
        return Path(self.root).expanduser().resolve().name

    @cached_property
    def official_classes(self) -> tuple[str, ...]:
        """Names of the folders below `train`, sorted."""
        train = self.home / "train"
        names = tuple(subfolders(train))
        if len(names) < 2:
            message = f"{train} holds {len(names)} class folders, expected at least two"
            raise DataError(message)
        return names

    def remote_files(self) -> tuple[RemoteFile, ...]:
        """Nothing: the images are one's own."""
        return ()

    def find(self, root: Path) -> Path:
        """The root.

        Raises:
            DataError: If it holds no training images.
        """
        train = root / "train"
        if not train.is_dir():
            message = f"data.root is {self.root!r}: expected the folder {train} with one per class"
            raise DataError(message)
        return root

    def listings(self) -> dict[str, Listing]:
        """List the images of each split.

        Raises:
            DataError: If a split is empty or has a class that is not trained, or if a class has
                no image to train on.
        """
        splits = ["train", "test"]
        if (self.home / "validation").is_dir():
            splits.insert(1, "validation")
        files = {split: self._list(split) for split in splits}
        trained = {file.split("/")[1] for file in files["train"]}
        empty = set(self.official_classes) - trained
        if empty:
            message = (
                f"{self.home / 'train'} holds no images of {some_of(empty)}; add some, or remove "
                "the class's folders"
            )
            raise DataError(message)
        places = {file: place for place, file in enumerate(sorted(chain(*files.values())))}
        labels = {name: label for label, name in enumerate(self.official_classes)}
        return {
            split: Listing(
                tuple(found),
                np.array([labels[file.split("/")[1]] for file in found], dtype=np.int64),
                np.array([places[file] for file in found], dtype=np.int64),
            )
            for split, found in files.items()
        }

    def _list(self, split: str) -> list[str]:
        directory = self.home / split
        found = [f"{split}/{file}" for file in images_below(directory) if "/" in file]
        surplus = sorted(set(subfolders(directory)) - set(self.official_classes))
        if surplus or not found:
            problem = f"classes unknown to train: {', '.join(surplus)}" if surplus else "no images"
            message = f"{directory} holds {problem}; expected {split}/CLASS/*.jpg"
            raise DataError(message)
        return found


def images_below(folder: Path) -> list[str]:
    """Images in a folder, by their paths below it, sorted; hidden ones do not count."""
    found = files_below(folder, IMAGE_SUFFIXES)
    return [file for file in found if not file.startswith(".") and "/." not in file]


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in one that may be missing, sorted; hidden ones do not count."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
