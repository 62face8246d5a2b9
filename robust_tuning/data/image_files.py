"""Encoded images, decoded when they are fetched."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from robust_tuning.data.decoding import decode
from robust_tuning.data.views import View
from robust_tuning.errors import DataError
from robust_tuning.types import Batch


class EncodedImages(Protocol):
    """Where the bytes of images come from."""

    def __len__(self) -> int: ...

    def name(self, position: int) -> str:
        """What errors call an image."""
        ...

    def read(self, position: int) -> bytes:
        """The bytes of an image file."""
        ...

    def version(self, position: int) -> str:
        """Something that changes when the image does."""
        ...


class ImagePaths:
    """Image files below a folder.

    Args:
        folder: The folder.
        files: Paths below it, separated by `/`.
    """

    def __init__(self, folder: Path, files: Sequence[str]) -> None:
        self.folder = folder
        self.files = np.array(files, dtype=np.str_)  # one block, which workers share

    def __len__(self) -> int:
        return len(self.files)

    def name(self, position: int) -> str:
        """The whole path."""
        return str(self.folder / str(self.files[position]))

    def read(self, position: int) -> bytes:
        """Read a file.

        Raises:
            DataError: If it cannot be opened.
        """
        try:
            return Path(self.name(position)).read_bytes()
        except OSError as error:
            message = (
                f"{self.name(position)} cannot be read ({error.strerror}); put it back, or leave "
                "it out by a line in the list that data.skip names"
            )
            raise DataError(message) from error

    def version(self, position: int) -> str:
        """Path, size and time of the last change."""
        try:
            status = Path(self.name(position)).stat()
        except OSError:
            return "missing"
        return f"{self.files[position]} {status.st_size} {status.st_mtime_ns}"


class EncodedExamples(Dataset[Batch]):
    """Labelled images that are decoded when they are fetched.

    Args:
        images: Their bytes.
        labels: `(N,)`.
        indices: `(N,)`, the identity of each example within its benchmark.
        view: What is shown of each.
    """

    def __init__(
        self,
        images: EncodedImages,
        labels: NDArray[np.int64],
        indices: NDArray[np.int64],
        view: View,
    ) -> None:
        self.images, self.labels, self.indices, self.view = images, labels, indices, view

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, position: int) -> Batch:
        content = self.images.read(position)
        name = self.images.name(position)
        pixels = decode(content, name, shorter_side=self.view.shorter_side)
        label, index = int(self.labels[position]), int(self.indices[position])
        return Batch(self.view(pixels), torch.tensor(label), torch.tensor(index))
