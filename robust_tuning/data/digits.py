"""The embedded benchmark: real handwritten digits that come with scikit-learn."""

from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  the field's name for it
from numpy.typing import NDArray

from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.data.examples import TensorExamples
from robust_tuning.data.splits import stratified_order
from robust_tuning.types import Split

_SIZE = {"validation": 300, "test": 300}


class Digits(BenchmarkDataModule):
    """1,797 handwritten digits of 8x8 pixels, shown as 32x32 RGB in [0, 1]; nothing to download.

    White on black: the 17 grey levels divided by 16, enlarged bilinearly, the same in each channel.
    1,197 examples to train on, 300 to validate and 300 to test, stratified.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
    Learning Repository, 1998; the test part, as bundled with scikit-learn.
    """

    @property
    def class_names(self) -> tuple[str, ...]:
        """The ten digits."""
        return tuple("0123456789")

    def load(self, split: Split) -> TensorExamples:
        """Load a split from the installed package."""
        from sklearn.datasets import load_digits  # slow to import, and needed here alone

        pixels = torch.from_numpy(load_digits().images).float().div(16)[:, None]
        images = F.interpolate(pixels, (32, 32), mode="bilinear", align_corners=False)
        chosen = torch.from_numpy(self._positions[split])
        labels = torch.from_numpy(self._all_labels)[chosen]
        return TensorExamples(images[chosen].expand(-1, 3, -1, -1).contiguous(), labels, chosen)

    def labels(self, split: Split) -> NDArray[np.int64]:
        """Labels in the order of `load`."""
        return self._all_labels[self._positions[split]]

    def identities(self, split: Split) -> list[str]:
        """Row numbers of the bundled table."""
        return [str(row) for row in self._positions[split]]

    @cached_property
    def _all_labels(self) -> NDArray[np.int64]:
        from sklearn.datasets import load_digits

        return load_digits().target.astype(np.int64)  # type: ignore[no-any-return]

    @cached_property
    def _positions(self) -> dict[str, NDArray[np.int64]]:
        rows = [str(row) for row in range(len(self._all_labels))]
        order = stratified_order(self._all_labels, rows, seed=0, purpose="split")
        test, validation, train = np.split(order, np.cumsum([_SIZE["test"], _SIZE["validation"]]))
        return {"train": train, "validation": validation, "test": test}
