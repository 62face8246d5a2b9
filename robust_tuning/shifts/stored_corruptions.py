"""CIFAR-10-C and CIFAR-100-C: common corruptions of the test images, as published."""

import difflib
import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.data.external import CIFAR_10_C, CIFAR_100_C, SEVERITIES, ExternalSet
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.shifts.arrays import ArrayExamples
from robust_tuning.shifts.base import Shift, ShiftedSet
from robust_tuning.shifts.corruptions import EXTRA, STANDARD
from robust_tuning.shifts.label_map import LabelMap
from robust_tuning.types import Split

_GROUPS = {"standard": tuple(STANDARD), "extra": tuple(EXTRA), "all": (*STANDARD, *EXTRA)}


class StoredCorruptions(Shift):
    """CIFAR-10-C or CIFAR-100-C, whichever goes with the benchmark, as its authors computed it.

    Each file holds one corruption of all 10,000 test images at five severities; it is mapped from
    the disk, and verified once. Sets are called `cifar10c-gaussian_noise-3`. Where the benchmark
    knows its test images by their rows, as `CIFAR10` and `CIFAR100` do, those evaluated are the
    same as its own and have the same indices, so that outcomes are paired with clean ones.

    Source: D. Hendrycks, T. Dietterich, "Benchmarking neural network robustness to common
    corruptions and perturbations", ICLR 2019 (arXiv:1903.12261).

    Args:
        root: What is or holds `CIFAR-10-C/` or `CIFAR-100-C/`, or holds the published archive.
        corruptions: Names of files, or `standard` for the 15 of the benchmark, `extra` for the 4
            kept aside to choose by, `all` for both.
        severities: Of 1 to 5.
        download: Fetch the archive (2.9 GB) if the files are not below `root`.
        expected: Images per severity of one's own version, which has other checksums.

    Raises:
        ConfigurationError: If there is no such corruption or severity.
    """

    def __init__(
        self,
        root: str,
        *,
        corruptions: list[str] | str = "standard",
        severities: list[int] = [1, 2, 3, 4, 5],  # noqa: B006  never changed; shown as the default
        download: bool = False,
        expected: int | None = None,
    ) -> None:
        wrong = [severity for severity in severities if severity not in range(1, SEVERITIES + 1)]
        if wrong or not severities:
            message = f"severities is {severities}, expected some of 1 to {SEVERITIES}"
            raise ConfigurationError(message)
        self.root = root
        self.corruptions = corruptions
        self.severities = sorted(set(severities))
        self.download = download
        self.expected = expected
        self._names = _named(corruptions)

    @property
    def name(self) -> str:
        """Of either set."""
        return "stored_corruptions"

    def label_map(self, source: BenchmarkDataModule) -> LabelMap:
        """The classes have the benchmark's names."""
        return LabelMap.by_name(_set_for(source).classes, source.class_names)

    def sets(
        self, source: BenchmarkDataModule, split: Split, n: int | None
    ) -> Sequence[ShiftedSet]:
        """One set for each corruption and severity.

        Raises:
            ConfigurationError: If the split is not `test`, of which these images are, or if the
                benchmark is no CIFAR.
            DataError: If files are missing or damaged, or are not of the benchmark's test images.
        """
        stored, labels = _set_for(source), self.label_map(source)
        key = stored.name.lower()
        if split != "test":
            message = (
                f"{key} holds corrupted test images, which tell nothing of the {split} split: "
                "measure it with split: test, and choose nothing by what it says"
            )
            raise ConfigurationError(message)
        opened = stored.open(
            self.root,
            self._names,
            download=self.download,
            expected=None if self.expected is None else SEVERITIES * self.expected,
        )
        repeated = opened[self._names[0]].labels  # one file for all
        targets = labels.apply(_of_one_severity(self.root, repeated))[1]
        rows, indices = _evaluated(source, targets, n, key)
        findings = labels.findings(repeated)
        return [
            ShiftedSet(
                f"{key}-{name}-{severity}",
                ArrayExamples(
                    opened[name].pixels,
                    rows + (severity - 1) * len(targets),
                    targets[rows],
                    indices,
                ),
                labels,
                findings=findings,
            )
            for name in self._names
            for severity in self.severities
        ]


def _named(corruptions: list[str] | str) -> list[str]:
    """The corruptions that words stand for, each once."""
    words = [corruptions] if isinstance(corruptions, str) else corruptions
    names = list(dict.fromkeys(name for word in words for name in _GROUPS.get(word, (word,))))
    unknown = [name for name in names if name not in _GROUPS["all"]]
    if unknown or not names:
        known = (*_GROUPS, *_GROUPS["all"])
        near = difflib.get_close_matches(unknown[0] if unknown else "", known, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}? " if near else ""
        message = f"corruptions is {corruptions!r}; {hint}expected of {', '.join(known)}"
        raise ConfigurationError(message)
    return names


def _set_for(source: BenchmarkDataModule) -> ExternalSet:
    for stored in (CIFAR_10_C, CIFAR_100_C):
        if set(source.class_names) == set(stored.classes):
            return stored
    message = (
        f"{source.benchmark} has {source.num_classes} classes such as {source.class_names[0]!r}: "
        "CIFAR-10-C and CIFAR-100-C go with benchmarks that have the classes of CIFAR-10 or "
        "CIFAR-100; corrupt this benchmark's own images instead"
    )
    raise ConfigurationError(message)


def _of_one_severity(root: str, repeated: NDArray[np.int64]) -> NDArray[np.int64]:
    """The labels of the test images, which each severity repeats."""
    blocks = repeated.reshape(SEVERITIES, -1)
    if (blocks != blocks[0]).any():
        message = (
            f"the labels below {root} are not the same for each of {SEVERITIES} severities; each "
            "must hold the test images in their order"
        )
        raise DataError(message)
    return repeated[: blocks.shape[1]]


def _evaluated(
    source: BenchmarkDataModule, targets: NDArray[np.int64], n: int | None, key: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the test images that evaluations use, and their indices."""
    identities = source.identities("test")
    if not all(re.fullmatch(r"test/\d+", identity) for identity in identities):
        # a benchmark of other files: these images cannot be told to be its own
        names = [f"test/{row}" for row in range(len(targets))]
        rows = source.chosen(names, n, f"shifted set {key}")
        return rows, rows
    own = np.array([int(identity.partition("/")[2]) for identity in identities], dtype=np.int64)
    same = len(own) == len(targets) and own.max() < len(targets)
    differ = int((targets[own] != source.labels("test")).sum()) if same else 0
    if not same or differ:
        problem = f"{differ} of {len(own)} labels differ" if same else f"it has {len(own)}"
        message = (
            f"{key} must be made of the test images of {source.benchmark}, in their order: it "
            f"holds {len(targets)} at each severity, but {problem}; use the official files of "
            "both (source: local), or the same version of one's own (expected)"
        )
        raise DataError(message)
    chosen = source.chosen(identities, n, "test split")
    return own[chosen], np.fromiter(_indices(source, chosen), dtype=np.int64, count=len(chosen))


def _indices(source: BenchmarkDataModule, positions: NDArray[np.int64]) -> Iterator[int]:
    examples = source.dataset("test")
    return (int(examples[position].indices) for position in positions.tolist())
