"""STL-10 for models of CIFAR-10."""

from collections.abc import Sequence
from typing import Literal

from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.data.external import STL_10
from robust_tuning.shifts.base import Shift, ShiftedSet
from robust_tuning.shifts.label_map import LabelMap
from robust_tuning.shifts.requirements import require_choice, require_classes
from robust_tuning.shifts.rows import set_of_rows
from robust_tuning.types import Split

_RENAMED = {"car": "automobile", "monkey": None}


class STL10(Shift):
    """STL-10's labelled photographs from ImageNet, of the nine classes that CIFAR-10 has too.

    Cars are CIFAR-10's automobiles; the images of monkeys, which CIFAR-10 has not, are left out;
    CIFAR-10's frogs do not occur. Images stay as they are, 96x96 pixels, and the backbone resizes
    them. An example's index is its row. Only the two files of the part in use are needed; their
    checksums and images per class are compared with the published ones.

    Source: A. Coates, H. Lee, A. Y. Ng, "An analysis of single-layer networks in unsupervised
    feature learning", AISTATS 2011.

    Args:
        root: What is or holds `stl10_binary/`, or holds `stl10_binary.tar.gz`.
        masked: Whether `frog` is no answer: False asks the model as it is, True asks it which of
            the nine shared classes it sees.
        part: `test`, 7,200 images of the shared classes, or `train`, 4,500 others. Models of
            CIFAR-10 have seen neither, and both are the same whichever split is asked for.
        download: Fetch the archive (2.6 GB) if the files are not below `root`.
        expected: Images, monkeys included, of one's own version, which has other checksums.

    Raises:
        ConfigurationError: If there is no such part.
    """

    def __init__(
        self,
        root: str,
        *,
        masked: bool = False,
        part: Literal["test", "train"] = "test",
        download: bool = False,
        expected: int | None = None,
    ) -> None:
        require_choice("part", part, STL_10.parts)
        self.root = root
        self.masked = masked
        self.part = part
        self.download = download
        self.expected = expected

    @property
    def name(self) -> str:
        """`stl10`, or `stl10-train`."""
        return "stl10" if self.part == "test" else f"stl10-{self.part}"

    def label_map(self, source: BenchmarkDataModule) -> LabelMap:
        """Nine classes to nine."""
        shared = [_RENAMED.get(name, name) for name in STL_10.classes]
        require_classes("STL10", filter(None, shared), source)
        return LabelMap.by_name(STL_10.classes, source.class_names, _RENAMED, masked=self.masked)

    def sets(
        self,
        source: BenchmarkDataModule,
        split: Split,  # noqa: ARG002  it has none of CIFAR's
        n: int | None,
    ) -> Sequence[ShiftedSet]:
        """The one set."""
        labels = self.label_map(source)
        opened = STL_10.open(self.root, [self.part], download=self.download, expected=self.expected)
        return set_of_rows(self.name, opened[self.part], labels, source, n)
