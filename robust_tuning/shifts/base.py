"""What every out-of-distribution view of a benchmark offers to an evaluation."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor
from torch.utils.data import Dataset

from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.shifts.label_map import LabelMap
from robust_tuning.types import Batch, Split

# From `(B, 3, H, W)` uint8 images and their `(B,)` int64 indices to other images of that form.
Transform = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class ShiftedSet:
    """One set of images that a model is evaluated on.

    Attributes:
        key: What its accuracy is called, such as `gaussian_noise-3` or `domain-sketch`.
        examples: The images, with labels of the benchmark.
        labels: How the set's classes became the benchmark's.
        transform: What is done to a batch of the examples first; sets that share `examples` are
            evaluated in one pass over them.
        settings: What decides the accuracy and is not an argument of the shift, such as the table
            of parameters that was chosen; the same for all sets of a shift.
        findings: What the user should know of the set's classes, in words; see
            `LabelMap.findings`.
    """

    key: str
    examples: Dataset[Batch]
    labels: LabelMap
    transform: Transform | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    findings: Sequence[str] = ()


class Shift(ABC):
    """Images from elsewhere than those a benchmark trains on.

    A shift is a plugin like any other: it keeps each argument of its `__init__` under the
    argument's own name. One shift may hold several sets, such as every corruption at every
    severity, so that a line of configuration brings a whole suite.

    Attributes:
        severities: How strong it comes, mildest first; empty where there is only one strength.
        places: Names of init arguments that say where files are and not what is in them: results
            with different ones can be compared.
    """

    severities: Sequence[int] = ()
    places: ClassVar[tuple[str, ...]] = ("root", "download")

    @property
    @abstractmethod
    def name(self) -> str:
        """What the shift's sets are called together, such as `corruptions`."""

    @abstractmethod
    def label_map(self, source: BenchmarkDataModule) -> LabelMap:
        """How the classes of the shifted images become those of the benchmark.

        Raises:
            ConfigurationError: If a class is named that does not exist.
            DataError: If the shift's files are missing or damaged.
        """

    @abstractmethod
    def sets(
        self, source: BenchmarkDataModule, split: Split, n: int | None
    ) -> Sequence[ShiftedSet]:
        """What there is to evaluate.

        Args:
            source: The benchmark that the model was trained on.
            split: From which part of the data; a set that has no parts of its own is the same
                whichever is asked for.
            n: How many examples of each set, always the same ones; None takes all.

        Raises:
            ConfigurationError: If the shift does not go with the benchmark.
            DataError: If files are missing or damaged, or a set holds fewer than `n` examples.
        """
