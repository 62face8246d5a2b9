"""Any folder of images, shown as a benchmark shows its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.data.decoding import decode
from robust_tuning.data.file_benchmark import FileBenchmark
from robust_tuning.data.image_folder import IMAGE_SUFFIXES
from robust_tuning.data.listing import files_below
from robust_tuning.data.views import CentreCrop, View
from robust_tuning.errors import DataError
from robust_tuning.storage import storage_errors
from robust_tuning.types import Batch

_REMEDY = "replace it, or take it out of the folder"


@dataclass(frozen=True)
class Folder:
    """What lies below a folder.

    Attributes:
        path: The folder.
        classes: Names of the folders in it, sorted.
        images: Paths `CLASS/...` of the images, sorted.
        others: Paths of all other files, sorted.
    """

    path: Path
    classes: tuple[str, ...]
    images: tuple[str, ...]
    others: tuple[str, ...]

    def labels(self) -> NDArray[np.int64]:
        """The place of each image's class among `classes`, `(N,)`."""
        places = {name: place for place, name in enumerate(self.classes)}
        names = (file.partition("/")[0] for file in self.images)
        return np.array([places[name] for name in names], dtype=np.int64)


def list_folder(root: str) -> Folder:
    """List the images in `ROOT/CLASS/`, at any depth, by the endings of their names.

    Raises:
        DataError: If there is no such folder, or no image in it.
    """
    path = Path(root).expanduser().resolve()
    with storage_errors(f"listing {path}", path):
        names = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
        classes = tuple(name for name in names if (path / name).is_dir())
    files = [f"{name}/{file}" for name in classes for file in files_below(path / name)]
    images = [file for file in files if Path(file).suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        message = (
            f"{path} holds no images in folders; expected {path}/CLASS/*, with endings "
            f"{' '.join(sorted(IMAGE_SUFFIXES))}"
        )
        raise DataError(message)
    others = {*files, *names}.difference(images, classes)
    return Folder(path, classes, tuple(sorted(images)), tuple(sorted(others)))


def evaluation_view(source: BenchmarkDataModule) -> View:
    """What evaluations on a benchmark show of a photograph."""
    if isinstance(source, FileBenchmark):  # which may have been told a size
        return CentreCrop(source.shown_input)
    return CentreCrop(source.image_input)


class FolderExamples(Dataset[Batch]):
    """Labelled images of a folder, decoded when they are fetched.

    Args:
        folder: The folder.
        files: Paths below it.
        labels: `(N,)`.
        indices: `(N,)`, the identity of each example.
        view: What is shown of each.
    """

    def __init__(
        self,
        folder: Path,
        files: Sequence[str],
        labels: NDArray[np.int64],
        indices: NDArray[np.int64],
        view: View,
    ) -> None:
        self.folder, self.labels, self.indices, self.view = folder, labels, indices, view
        self.files = np.array(files, dtype=np.str_)  # one block, which workers share

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, position: int) -> Batch:
        """Decode an image.

        Raises:
            DataError: If the file cannot be read, or holds no whole image.
        """
        path = self.folder / str(self.files[position])
        try:
            content = path.read_bytes()
        except OSError as error:
            message = f"{path} cannot be read ({error.strerror}); {_REMEDY}"
            raise DataError(message) from error
        side = self.view.shorter_side
        pixels = decode(content, str(path), shorter_side=side, remedy=_REMEDY)
        label, index = int(self.labels[position]), int(self.indices[position])
        return Batch(self.view(pixels), torch.tensor(label), torch.tensor(index))
