"""One's own images in folders."""

from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.data.splits import stratified_order
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.types import Batch, Split

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


class ImageFolder(BenchmarkDataModule):
    """Images in `ROOT/train/CLASS/` and `ROOT/test/CLASS/`.

    `ROOT/validation/CLASS/` is used where it exists; otherwise a stratified part of the training
    images is held out, chosen by file name. Every image becomes RGB, upright, resized so that its
    shorter side is `image_size / crop_fraction` and cropped around the centre.

    Args:
        root: The folder.
        image_size: Side of the square images in pixels; the backbone's input size avoids a second
            resizing.
        crop_fraction: Share of the shorter side that the crop keeps, in (0, 1].
        validation_fraction: Share of the training images to validate on, in (0, 1).
        batch_size: See `BenchmarkDataModule`.
        eval_batch_size: See `BenchmarkDataModule`.
        num_workers: See `BenchmarkDataModule`.
        train_limit: See `BenchmarkDataModule`.
        seed: See `BenchmarkDataModule`.

    Raises:
        ConfigurationError: If a size or fraction is out of range.
        DataError: If a folder is missing or empty, or, while training, if an image cannot be read.
    """

    def __init__(
        self,
        root: str,
        *,
        image_size: int = 224,
        crop_fraction: float = 0.875,
        validation_fraction: float = 0.1,
        batch_size: int = 128,
        eval_batch_size: int = 256,
        num_workers: int = 2,
        train_limit: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            train_limit=train_limit,
            seed=seed,
        )
        if image_size < 1:
            message = f"data.image_size is {image_size}, expected a side in pixels such as 224"
            raise ConfigurationError(message)
        if not 0 < crop_fraction <= 1 or not 0 < validation_fraction < 1:
            message = (
                f"data.crop_fraction is {crop_fraction}, expected in (0, 1]; "
                f"data.validation_fraction is {validation_fraction}, expected in (0, 1)"
            )
            raise ConfigurationError(message)
        self.root = root
        self.image_size = image_size
        self.crop_fraction = crop_fraction
        self.validation_fraction = validation_fraction

    @property
    def benchmark(self) -> str:
        """The folder's name."""
        return self._root.name

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Names of the folders below `train`, sorted."""
        train = self._root / "train"
        if not train.is_dir():
            message = f"data.root is {self.root!r}: expected the folder {train} with one per class"
            raise DataError(message)
        names = tuple(sorted(folder.name for folder in train.iterdir() if folder.is_dir()))
        if len(names) < 2:
            message = f"{train} holds {len(names)} class folders, expected at least two"
            raise DataError(message)
        return names

    def load(self, split: Split) -> "FileExamples":
        """List a split; images are read when they are fetched."""
        files = self._files[split]
        places = {file: place for place, file in enumerate(self._all_files)}
        return FileExamples(
            [self._root / file for file in files],
            self.labels(split),
            np.array([places[file] for file in files], dtype=np.int64),
            image_size=self.image_size,
            crop_fraction=self.crop_fraction,
        )

    def labels(self, split: Split) -> NDArray[np.int64]:
        """Labels in the order of `load`."""
        return self._labels_of(self._files[split])

    def identities(self, split: Split) -> list[str]:
        """Paths below the root."""
        return self._files[split]

    @property
    def _root(self) -> Path:
        return Path(self.root).expanduser().resolve()

    @cached_property
    def _files(self) -> dict[str, list[str]]:
        train, test = self._list("train"), self._list("test")
        if (self._root / "validation").is_dir():
            return {"train": train, "validation": self._list("validation"), "test": test}
        order = stratified_order(self._labels_of(train), train, seed=0, purpose="split")
        held_out = max(1, min(round(self.validation_fraction * len(train)), len(train) - 1))
        return {
            "validation": [train[place] for place in sorted(order[:held_out])],
            "train": [train[place] for place in sorted(order[held_out:])],
            "test": test,
        }

    @cached_property
    def _all_files(self) -> list[str]:
        return sorted(file for files in self._files.values() for file in files)

    def _labels_of(self, files: list[str]) -> NDArray[np.int64]:
        labels = {name: label for label, name in enumerate(self.class_names)}
        return np.array([labels[file.split("/")[1]] for file in files], dtype=np.int64)

    def _list(self, folder: str) -> list[str]:
        files: list[str] = []
        for name in self.class_names:
            directory = self._root / folder / name
            if directory.is_dir():
                found = (f for f in directory.rglob("*") if f.suffix.lower() in _SUFFIXES)
                files += [f.relative_to(self._root).as_posix() for f in found]
        surplus = self._surplus(folder)
        if surplus or not files:
            problem = f"classes unknown to train: {', '.join(surplus)}" if surplus else "no images"
            message = f"{self._root / folder} holds {problem}; expected {folder}/CLASS/*.jpg"
            raise DataError(message)
        return sorted(files)

    def _surplus(self, folder: str) -> list[str]:
        directory = self._root / folder
        present = (f.name for f in directory.iterdir() if f.is_dir()) if directory.is_dir() else ()
        return sorted(set(present) - set(self.class_names))


class FileExamples(Dataset[Batch]):
    """Image files, decoded when they are fetched.

    Args:
        files: One path per example.
        labels: `(N,)`.
        indices: `(N,)`, the identity of each example within its benchmark.
        image_size: Side of the square images in pixels.
        crop_fraction: Share of the shorter side that the centre crop keeps.
    """

    def __init__(
        self,
        files: list[Path],
        labels: NDArray[np.int64],
        indices: NDArray[np.int64],
        *,
        image_size: int,
        crop_fraction: float,
    ) -> None:
        self.files, self.labels, self.indices = files, labels, indices
        self.image_size = image_size
        self.crop_fraction = crop_fraction

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, position: int) -> Batch:
        image = self._read(self.files[position])
        label, index = int(self.labels[position]), int(self.indices[position])
        return Batch(image, torch.tensor(label), torch.tensor(index))

    def _read(self, file: Path) -> Tensor:
        try:
            with Image.open(file) as opened:
                image = _rgb(ImageOps.exif_transpose(opened))
        except Exception as error:  # damaged files make decoders raise anything
            message = f"{file} cannot be decoded ({error}); replace it or move it out of the folder"
            raise DataError(message) from error
        side = round(self.image_size / self.crop_fraction)
        scale = side / min(image.size)
        width, height = (max(side, round(length * scale)) for length in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC)
        left, top = (width - self.image_size) // 2, (height - self.image_size) // 2
        image = image.crop((left, top, left + self.image_size, top + self.image_size))
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode[0] in "IF":  # Pillow would cut such values off at 255
        message = f"mode {image.mode}, more than 8 bits per channel; save it with 8"
        raise ValueError(message)
    if image.mode == "P":  # by way of RGBA, without a warning about transparent palettes
        image = image.convert("RGBA")
    return image.convert("RGB")
