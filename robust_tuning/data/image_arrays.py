"""One's own images in a NumPy archive."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from robust_tuning.data.augmentation import Augmentation
from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.data.examples import TensorExamples
from robust_tuning.data.splits import stratified_order
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.types import Split


class ImageArrays(BenchmarkDataModule):
    """Labelled images of one size from an `.npz` file.

    The file holds `x_train` `(N, H, W, 3)` uint8 and `y_train` `(N,)`, the same for `test`, and
    optionally `classes` with the names in label order. The images stay at their own size; the
    backbone resizes them on its device. A stratified part of the training images becomes the
    validation split, chosen by row number.

    Args:
        path: The `.npz` file.
        validation_fraction: Share of the training images to validate on, in (0, 1).
        batch_size: See `BenchmarkDataModule`.
        eval_batch_size: See `BenchmarkDataModule`.
        num_workers: See `BenchmarkDataModule`.
        train_limit: See `BenchmarkDataModule`.
        augmentation: See `BenchmarkDataModule`.
        seed: See `BenchmarkDataModule`.

    Raises:
        ConfigurationError: If the fraction is outside (0, 1).
        DataError: If the file is missing, unreadable or lacks an array, or if an array has another
            shape, type or range.
    """

    def __init__(
        self,
        path: str,
        *,
        validation_fraction: float = 0.1,
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
        self.path = path
        self.validation_fraction = validation_fraction

    @property
    def benchmark(self) -> str:
        """The file's name without its ending."""
        return Path(self.path).stem

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The file's `classes`, or the labels themselves."""
        if self._has("classes"):
            return tuple(str(name) for name in self._array("classes"))
        return tuple(str(label) for label in range(int(self._targets["train"].max()) + 1))

    def load(self, split: Split) -> TensorExamples:
        """Load a split into memory."""
        source = "test" if split == "test" else "train"
        key = f"x_{source}"
        images = self._array(key)
        targets = self._targets[source]
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
            message = (
                f"{self.path}: {key} is {images.dtype} {images.shape}, "
                "expected uint8 images (N, H, W, 3) in RGB order"
            )
            raise DataError(message)
        if len(images) != len(targets):
            message = f"{self.path}: {len(images)} images in {key}, but {len(targets)} labels"
            raise DataError(message)
        rows = self._rows[split]
        offset = len(self._targets["train"]) if split == "test" else 0
        return TensorExamples(
            torch.from_numpy(images[rows]).permute(0, 3, 1, 2).contiguous(),
            torch.from_numpy(targets[rows]),
            torch.from_numpy(rows + offset),
        )

    def labels(self, split: Split) -> NDArray[np.int64]:
        """Labels in the order of `load`."""
        return self._targets["test" if split == "test" else "train"][self._rows[split]]

    def identities(self, split: Split) -> list[str]:
        """Row numbers, by array."""
        source = "test" if split == "test" else "train"
        return [f"{source}/{row}" for row in self._rows[split]]

    @cached_property
    def _targets(self) -> dict[str, NDArray[np.int64]]:
        targets = {}
        for source in ("train", "test"):
            labels = self._array(f"y_{source}")
            if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels):
                message = (
                    f"{self.path}: y_{source} is {labels.dtype} {labels.shape}, "
                    "expected one integer label per image"
                )
                raise DataError(message)
            targets[source] = labels.astype(np.int64)
        known = len(self._array("classes")) if self._has("classes") else targets["train"].max() + 1
        for source, labels in targets.items():
            if labels.min() < 0 or labels.max() >= known:
                message = (
                    f"{self.path}: labels in y_{source} run from {labels.min()} to {labels.max()}, "
                    f"expected 0 to {known - 1}"
                )
                raise DataError(message)
        return targets

    @cached_property
    def _rows(self) -> dict[str, NDArray[np.int64]]:
        labels = self._targets["train"]
        rows = [f"train/{row}" for row in range(len(labels))]
        order = stratified_order(labels, rows, seed=0, purpose="split")
        held_out = max(1, min(round(self.validation_fraction * len(labels)), len(labels) - 1))
        return {
            "validation": order[:held_out],
            "train": order[held_out:],
            "test": np.arange(len(self._targets["test"]), dtype=np.int64),
        }

    def _has(self, key: str) -> bool:
        with self._open() as archive:
            return key in archive

    def _array(self, key: str) -> NDArray[np.generic]:
        with self._open() as archive:
            if key not in archive:
                message = f"{self.path} has no array {key!r}; it has {', '.join(archive.files)}"
                raise DataError(message)
            try:
                return archive[key]
            except (ValueError, OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
                message = f"{self.path}: {key} cannot be read ({error}); is the file complete?"
                raise DataError(message) from error

    @contextmanager
    def _open(self) -> "Iterator[np.lib.npyio.NpzFile]":
        with ExitStack() as stack:
            try:
                # Opened here, because NumPy leaves a file open that turns out to be no archive.
                file = stack.enter_context(Path(self.path).expanduser().open("rb"))
                archive = np.load(file, allow_pickle=False)
            except FileNotFoundError as error:
                message = f"data.path is {self.path!r}, but there is no such file"
                raise DataError(message) from error
            except (ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
                message = f"{self.path} is no readable .npz file: {error}"
                raise DataError(message) from error
            if not isinstance(archive, np.lib.npyio.NpzFile):
                message = f"{self.path} holds a single array, expected an .npz file of several"
                raise DataError(message)
            yield stack.enter_context(archive)
