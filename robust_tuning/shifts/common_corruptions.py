"""The common corruptions of a benchmark's own images, as a shift."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.errors import ConfigurationError
from robust_tuning.shifts.base import Shift, ShiftedSet
from robust_tuning.shifts.corruptions import EXTRA, STANDARD, Corruption, Table
from robust_tuning.shifts.label_map import LabelMap
from robust_tuning.types import Split

_WORDS = {"standard": tuple(STANDARD), "extra": tuple(EXTRA)}
# The side that is as far from 32 pixels as from 224, in proportion.
_BETWEEN = (32 * 224) ** 0.5


class Corruptions(Shift):
    """Noise, blur, weather and digital artefacts on the benchmark's own evaluation images.

    Computed on the fly from the images as they are loaded, 8 bits per channel: files at the size
    that the backbone sees, small images at their own, before the backbone resizes them. The pixels
    are a function of the example, the corruption, the severity and the table. Accuracies are called
    `gaussian_noise-3`.

    Source: D. Hendrycks and T. Dietterich, "Benchmarking neural network robustness to common
    corruptions and perturbations", ICLR 2019.

    Args:
        corruptions: Names, or `standard` for the 15 of the published benchmarks and `extra` for the
            four that came with them for validation.
        severities: Of 1 to 5.
        table: Whose parameters: `cifar`, made for 32 pixels, `imagenet`, made for 224, or `auto`
            for the one that is nearer in proportion to the images' shorter side. Which one it was
            is stored with the results.

    Raises:
        ConfigurationError: If there is no such corruption, severity or table, or one is named
            twice.
    """

    def __init__(
        self,
        *,
        corruptions: list[str] = ["standard"],  # noqa: B006  never changed; shown as the default
        severities: list[int] = [1, 2, 3, 4, 5],  # noqa: B006  as above
        table: Literal["auto", "cifar", "imagenet"] = "auto",
    ) -> None:
        names = [name for word in corruptions for name in _WORDS.get(word, (word,))]
        for listed, what in ((names, "corruptions"), (severities, "severities")):
            if not listed or len(set(listed)) < len(listed):
                message = f"{what} is {listed}: expected at least one, each once"
                raise ConfigurationError(message)
        if table not in ("auto", *get_args(Table)):
            message = f"table is {table!r}, expected auto, {' or '.join(get_args(Table))}"
            raise ConfigurationError(message)
        if 0 in severities:
            message = "severities has a 0, which changes nothing: expected 1 to 5"
            raise ConfigurationError(message)
        for name in names:
            for severity in severities:
                Corruption(name, severity, "cifar")
        self.corruptions = corruptions
        self.severities = severities
        self.table = table
        self._names = names

    @property
    def name(self) -> str:
        """Always `corruptions`."""
        return "corruptions"

    def label_map(self, source: BenchmarkDataModule) -> LabelMap:
        """The benchmark's own classes."""
        return LabelMap.identity(source.class_names)

    def sets(
        self, source: BenchmarkDataModule, split: Split, n: int | None
    ) -> Sequence[ShiftedSet]:
        """Each corruption at each severity, all of the same images."""
        examples = source.evaluation_examples(split, n)
        height, width = examples[0].images.shape[-2:]
        table: Table = "cifar" if min(height, width) < _BETWEEN else "imagenet"
        if self.table != "auto":
            table = self.table
        settings: dict[str, Any] = {"table": table, "image_size": [height, width]}
        labels = self.label_map(source)
        return [
            ShiftedSet(
                f"{name}-{severity}", examples, labels, Corruption(name, severity, table), settings
            )
            for name in self._names
            for severity in self.severities
        ]
