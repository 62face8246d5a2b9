"""CIFAR-10.1: a second test set for CIFAR-10."""

from collections.abc import Sequence
from typing import Literal

from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.data.external import CIFAR_10_1
from robust_tuning.shifts.base import Shift, ShiftedSet
from robust_tuning.shifts.label_map import LabelMap
from robust_tuning.shifts.requirements import require_choice, require_classes
from robust_tuning.shifts.rows import set_of_rows
from robust_tuning.types import Split


class CIFAR101(Shift):
    """CIFAR-10.1, collected ten years later in the way of CIFAR-10's test set.

    Photographs of 32x32 pixels of the same ten classes; an example's index is its row. The set is
    the same whichever split is asked for. Its checksums and images per class are compared with the
    published ones.

    Source: B. Recht, R. Roelofs, L. Schmidt, V. Shankar, "Do CIFAR-10 classifiers generalize to
    CIFAR-10?", 2018 (arXiv:1806.00451).

    Args:
        root: Folder of the `.npy` files.
        version: `v6`, 200 images of each class, which its authors recommend; or `v4`, 2,021
            images.
        download: Fetch the two files if they are not in `root`.
        expected: Images of one's own version, which has other checksums.

    Raises:
        ConfigurationError: If there is no such version.
    """

    def __init__(
        self,
        root: str,
        *,
        version: Literal["v4", "v6"] = "v6",
        download: bool = False,
        expected: int | None = None,
    ) -> None:
        require_choice("version", version, CIFAR_10_1.parts)
        self.root = root
        self.version = version
        self.download = download
        self.expected = expected

    @property
    def name(self) -> str:
        """Of the set and the version."""
        return f"cifar10.1-{self.version}"

    def label_map(self, source: BenchmarkDataModule) -> LabelMap:
        """The classes have the benchmark's names."""
        require_classes("CIFAR101", CIFAR_10_1.classes, source)
        return LabelMap.by_name(CIFAR_10_1.classes, source.class_names)

    def sets(
        self,
        source: BenchmarkDataModule,
        split: Split,  # noqa: ARG002  it has none
        n: int | None,
    ) -> Sequence[ShiftedSet]:
        """The one set."""
        labels = self.label_map(source)
        opened = CIFAR_10_1.open(
            self.root, [self.version], download=self.download, expected=self.expected
        )
        return set_of_rows(self.name, opened[self.version], labels, source, n)
