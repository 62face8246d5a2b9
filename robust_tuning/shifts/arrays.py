"""Labelled images in one large array, which may lie on a disk."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from robust_tuning.types import Batch


class ArrayExamples(Dataset[Batch]):
    """Rows of an array, read when they are fetched: a memory-mapped one costs no memory.

    Args:
        pixels: `(N, 3, H, W)` or, as published files have them, `(N, H, W, 3)` uint8.
        rows: Which of them, `(M,)` int64.
        labels: Of those rows, `(M,)` int64, the benchmark's.
        indices: The identity of each example, `(M,)` int64.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        rows: NDArray[np.int64],
        labels: NDArray[np.int64],
        indices: NDArray[np.int64],
    ) -> None:
        self.pixels, self.rows, self.labels, self.indices = pixels, rows, labels, indices

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> Batch:
        batch = self.__getitems__([position])
        return Batch(*(tensor[0] for tensor in batch))

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        chosen = np.asarray(positions)
        images = np.asarray(self.pixels[self.rows[chosen]])
        if images.shape[-1] == 3:
            images = images.transpose(0, 3, 1, 2)
        return Batch(
            torch.from_numpy(np.ascontiguousarray(images)),
            torch.from_numpy(self.labels[chosen]),
            torch.from_numpy(self.indices[chosen]),
        )
