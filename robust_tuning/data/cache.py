"""Resized images kept in one memory-mapped file, which the processes of a machine share."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.utils.data import Dataset

from robust_tuning.data.image_files import EncodedExamples
from robust_tuning.data.loader import BatchLoader
from robust_tuning.storage import (
    cache_folder,
    memory_folder,
    remove_at_exit,
    storage_errors,
)
from robust_tuning.types import Batch

Cache = Literal["none", "ram", "disk"]

# Another number has every cache built anew: change it with whatever changes decoded pixels.
_VERSION = 1
_STAMP = 24
_FOOTER = _STAMP + 8


class CachedExamples(Dataset[Batch]):
    """Labelled images in a memory-mapped file.

    Args:
        path: A file that `cached` has written.
        labels: `(N,)`.
        indices: `(N,)`, the identity of each example within its benchmark.
    """

    def __init__(self, path: Path, labels: NDArray[np.int64], indices: NDArray[np.int64]) -> None:
        self.path, self.labels, self.indices = path, labels, indices
        # Mapped at once: it stays readable should another process remove the file.
        self._pixels = np.memmap(path, dtype=np.uint8, mode="r")
        self._shapes = _read_table(path)[1]
        sizes = self._shapes.prod(axis=1)
        self._starts = np.cumsum(sizes) - sizes

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, position: int) -> Batch:
        label, index = int(self.labels[position]), int(self.indices[position])
        return Batch(self._image(position), torch.tensor(label), torch.tensor(index))

    def __getitems__(self, positions: Sequence[int]) -> Batch | list[Batch]:
        chosen = np.asarray(positions)
        shapes = self._shapes[chosen]
        if (shapes != shapes[0]).any():
            return [self[int(position)] for position in positions]
        size = int(shapes[0].prod())
        rows = np.empty((len(chosen), size), dtype=np.uint8)
        for row, start in zip(rows, self._starts[chosen], strict=True):
            row[:] = self._pixels[start : start + size]
        return Batch(
            torch.from_numpy(rows).view(len(chosen), *shapes[0].tolist()),
            torch.from_numpy(self.labels[chosen]),
            torch.from_numpy(self.indices[chosen]),
        )

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the path alone: whoever reads it maps the file itself."""
        return CachedExamples, (self.path, self.labels, self.indices)

    def _image(self, position: int) -> Tensor:
        shape, start = self._shapes[position], self._starts[position]
        pixels = np.array(self._pixels[start : start + shape.prod()])
        return torch.from_numpy(pixels).view(*shape.tolist())


def cached(
    examples: EncodedExamples,
    where: Cache,
    folder: str | None,
    *,
    name: str,
    num_workers: int = 0,
) -> CachedExamples:
    """Keep examples as their view shows them; decode them unless a valid cache is there.

    A cache belongs to a view of a list of images. It is built anew when an image has another size
    or time of change than it had, or when this code has another version; it becomes visible when
    it is complete; and of several processes only one builds it.

    Args:
        examples: What is kept.
        where: `ram` or `disk`.
        folder: Of the disk cache; None takes `~/.cache/robust_tuning`.
        name: What the file's name begins with.
        num_workers: Processes that decode; 0 decodes in this one.

    Raises:
        DataError: If the place is full or not writable, or an image cannot be decoded.
    """
    place = memory_folder() if where == "ram" else cache_folder(folder)
    images = examples.images
    names = (images.name(position) for position in range(len(images)))
    path = place / f"{name}-{_digest(repr(examples.view), *names)}.images"
    stamp = _digest(str(_VERSION), *(images.version(position) for position in range(len(images))))
    with storage_errors(f"keeping {len(examples):,} resized images ({where} cache)", place):
        place.mkdir(parents=True, exist_ok=True)
        if not _is_valid(path, stamp):
            with FileLock(path.with_suffix(".lock")):
                if not _is_valid(path, stamp):
                    _build(examples, path, stamp, num_workers)
                    if where == "ram":
                        remove_at_exit(path)
        return CachedExamples(path, examples.labels, examples.indices)


def _build(examples: EncodedExamples, path: Path, stamp: str, num_workers: int) -> None:
    shapes = np.empty((len(examples), 3), dtype="<i8")
    batches = track(
        BatchLoader(examples, None, num_workers=num_workers),
        description=f"caching {len(examples):,} images",
        total=len(examples),
        console=Console(stderr=True),
        transient=True,
    )
    partial = path.with_suffix(".part")  # one writer at a time: a killed one's is overwritten
    try:
        with partial.open("wb") as file:
            for position, batch in enumerate(batches):
                shapes[position] = batch.images.shape
                file.write(batch.images.numpy().tobytes())
            file.write(shapes.tobytes())
            file.write(stamp.encode())
            file.write(len(shapes).to_bytes(8, "little"))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _read_table(path: Path) -> tuple[str, NDArray[np.int64]]:
    """The stamp and the shapes behind the pixels.

    Raises:
        ValueError: If the file does not end in them.
    """
    with path.open("rb") as file:
        end = file.seek(-_FOOTER, os.SEEK_END)
        stamp = file.read(_STAMP).decode()
        count = int.from_bytes(file.read(), "little")
        start = file.seek(end - count * 24)
        shapes = np.frombuffer(file.read(count * 24), dtype="<i8").reshape(count, 3)
    if shapes.prod(axis=1).sum() != start:
        message = f"{path} holds other images than it says"
        raise ValueError(message)
    return stamp, shapes.astype(np.int64)


def _is_valid(path: Path, stamp: str) -> bool:
    try:
        return _read_table(path)[0] == stamp
    except (OSError, ValueError):
        return False


def _digest(*words: str) -> str:
    digest = hashlib.blake2b(digest_size=_STAMP // 2)
    for word in words:
        digest.update(f"{word}\n".encode())
    return digest.hexdigest()
