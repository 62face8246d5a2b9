"""Shifted images kept in memory-mapped files, so that they are computed once."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from filelock import FileLock
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray
from torch.utils.data import Dataset

from robust_tuning.errors import DataError
from robust_tuning.shifts.arrays import ArrayExamples
from robust_tuning.shifts.base import ShiftedSet
from robust_tuning.shifts.evaluation import Load, grouped, shifted
from robust_tuning.storage import (
    cache_folder,
    memory_folder,
    remove_at_exit,
    require_space,
    storage_errors,
)
from robust_tuning.types import Batch

Cache = Literal["none", "ram", "disk"]

# Another number has every file made anew: change it with whatever changes corrupted pixels.
VERSION = 1
_SPARE = 1 << 20


def cached(
    sets: Sequence[ShiftedSet],
    where: Cache,
    folder: str | None,
    *,
    load: Load,
    device: torch.device,
    on_progress: Callable[[int], None] | None = None,
) -> list[ShiftedSet]:
    """Keep the images of sets that a transform makes; other sets stay as they are.

    A file holds one set as `(N, 3, H, W)` uint8. Its name is a digest of the pixels and identities
    of the images that it was made from, of the transform (corruption, severity and table), and of
    this code's version: it cannot be taken for another one, and a data set that has changed gets
    new files. It becomes visible when it is complete, and of several processes one makes it.

    Args:
        sets: What is evaluated.
        where: `ram` (a memory file that the processes of a machine share, gone at the end), `disk`,
            or `none` for the sets as they are.
        folder: Of the disk cache; None takes `~/.cache/robust_tuning`.
        load: Makes batches of a data set, in its order.
        device: Where images are changed.
        on_progress: Called with the number of images made since the last call.

    Raises:
        DataError: If the place is full or not writable, or the images are not of one size.
    """
    if where == "none":
        return list(sets)
    place = (memory_folder() if where == "ram" else cache_folder(folder)) / "shifts"
    kept: list[ShiftedSet] = []
    with storage_errors(f"keeping shifted images ({where} cache)", place):
        place.mkdir(parents=True, exist_ok=True)
        for group in grouped(sets):
            made = [one for one in group if one.transform is not None]
            kept += [one for one in group if one.transform is None]
            if made:
                kept += _kept(made, place, load, device, where, on_progress)
    order = {one.key: number for number, one in enumerate(sets)}
    return sorted(kept, key=lambda one: order[one.key])


def _kept(
    group: Sequence[ShiftedSet],
    place: Path,
    load: Load,
    device: torch.device,
    where: Cache,
    on_progress: Callable[[int], None] | None,
) -> list[ShiftedSet]:
    originals = _Originals.of(group[0].examples, load)
    paths = [place / f"{one.key}-{originals.digest_with(repr(one.transform))}.npy" for one in group]
    lock = place / f"{originals.digest_with('')}.lock"
    with FileLock(lock):
        missing = [pair for pair in zip(group, paths, strict=True) if not pair[1].is_file()]
        if missing:
            what = f"keeping {len(missing)} sets of {len(originals.labels):,} shifted images"
            needed = len(missing) * int(np.prod(originals.shape)) + _SPARE
            require_space(what, place, needed)
            _make(missing, originals, load, device, on_progress)
            if where == "ram":
                for _, path in missing:
                    remove_at_exit(path)
    rows = np.arange(len(originals.labels))
    kept = []
    for one, path in zip(group, paths, strict=True):
        pixels = np.load(path, mmap_mode="r")
        examples = ArrayExamples(pixels, rows, originals.labels, originals.indices)
        kept.append(replace(one, examples=examples, transform=None))
    return kept


class _Originals:
    """What a group of sets is made from, after one pass over it."""

    def __init__(
        self,
        shape: tuple[int, ...],
        labels: NDArray[np.int64],
        indices: NDArray[np.int64],
        digest: bytes,
    ) -> None:
        self.shape, self.labels, self.indices, self._digest = shape, labels, indices, digest

    @classmethod
    def of(cls, examples: Dataset[Batch], load: Load) -> "_Originals":
        digest = blake2b(f"{VERSION}\n".encode(), digest_size=16)
        labels, indices, sizes, count = [], [], set(), 0
        for batch in load(examples):
            digest.update(batch.images.numpy().tobytes())
            digest.update(batch.indices.numpy().tobytes())
            labels.append(batch.labels.numpy())
            indices.append(batch.indices.numpy())
            sizes.add(tuple(batch.images.shape[1:]))
            count += len(batch.labels)
        if len(sizes) != 1:
            message = (
                f"images of {len(sizes)} sizes cannot be kept together, such as {sorted(sizes)[:2]}"
                ": expected one size; set ood.cache to none"
            )
            raise DataError(message)
        shape = (count, *sizes.pop())
        return cls(shape, np.concatenate(labels), np.concatenate(indices), digest.digest())

    def digest_with(self, words: str) -> str:
        return blake2b(self._digest + words.encode(), digest_size=12).hexdigest()


def _make(
    missing: Sequence[tuple[ShiftedSet, Path]],
    originals: _Originals,
    load: Load,
    device: torch.device,
    on_progress: Callable[[int], None] | None,
) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": originals.shape}
    partial = [path.with_suffix(".part") for _, path in missing]
    with ExitStack() as stack:
        for path in partial:  # whatever happens, no half of a file stays
            stack.callback(path.unlink, missing_ok=True)
        # Written, not mapped: a mapped file on a full disk ends the process without a word.
        files = [stack.enter_context(path.open("wb")) for path in partial]
        for file in files:
            write_array_header_1_0(file, header)
        for batch in load(missing[0][0].examples):
            for file, (one, _) in zip(files, missing, strict=True):
                file.write(shifted(one, batch, device).cpu().numpy().tobytes())
                if on_progress is not None:
                    on_progress(len(batch.labels))
        for file, path, (_, final) in zip(files, partial, missing, strict=True):
            file.close()
            path.replace(final)
