"""Sets of labelled images, with an identity for every example."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from robust_tuning.types import Batch


class TensorExamples(Dataset[Batch]):
    """Images that fit into memory, fetched a whole batch at a time.

    Args:
        images: `(N, 3, H, W)` uint8, or float32 in [0, 1].
        labels: `(N,)` int64.
        indices: `(N,)` int64, the identity of each example within its benchmark.
    """

    def __init__(self, images: Tensor, labels: Tensor, indices: Tensor) -> None:
        self.images, self.labels, self.indices = images, labels, indices

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, position: int) -> Batch:
        return Batch(self.images[position], self.labels[position], self.indices[position])

    def __getitems__(self, positions: list[int]) -> Batch:
        chosen = torch.tensor(positions)
        return Batch(self.images[chosen], self.labels[chosen], self.indices[chosen])

    def subset(self, positions: NDArray[np.int64]) -> "TensorExamples":
        """The examples at `positions`, in that order."""
        chosen = torch.from_numpy(positions)
        return TensorExamples(self.images[chosen], self.labels[chosen], self.indices[chosen])


def collate(samples: Batch | Sequence[Batch]) -> Batch:
    """Make a batch of samples; a batch fetched whole stays as it is."""
    if isinstance(samples, Batch):
        return samples
    batch: Any = default_collate(list(samples))
    return Batch(*batch)
