"""What happened to every evaluation example at one point: the basis of paired comparisons."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from robust_tuning.errors import DataError
from robust_tuning.frontier.files import replace_file
from robust_tuning.frontier.npz import StoredArrays
from robust_tuning.frontier.point import Estimate, FrontierPoint

Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]


def outcomes_path(folder: Path, step: int, split: str = "validation") -> Path:
    """Where a run folder keeps the outcomes of a step.

    >>> outcomes_path(Path("run"), 50, "test").as_posix()
    'run/outcomes/step-00000050-test.npz'
    """
    suffix = "" if split == "validation" else f"-{split}"
    return folder / "outcomes" / f"step-{step:08d}{suffix}.npz"


@dataclass(frozen=True, eq=False)
class ShiftOutcomes:
    """The examples of one shift, which need not be those of the benchmark.

    Attributes:
        index: int64 (m,), which examples of the shift's data set.
        label: int64 (m,), their labels.
        correct: bool (m,), whether the model named them.

    Raises:
        DataError: Arrays of unequal length.
    """

    index: Integers
    label: Integers
    correct: Booleans

    def __post_init__(self) -> None:
        _check_lengths(self.index, label=self.label, correct=self.correct)


@dataclass(frozen=True, eq=False)
class ExampleOutcomes:
    """What happened to every example of one evaluation.

    Attributes:
        index: int64 (n,), which examples of the split.
        label: int64 (n,), their labels.
        clean_correct: bool (n,), whether the unperturbed image was named.
        robust: By threat, bool (n,): clean and under attack correct.
        shifts: By shift, the outcomes of that shift's own examples.

    Raises:
        DataError: Arrays of unequal length.
    """

    index: Integers
    label: Integers
    clean_correct: Booleans
    robust: Mapping[str, Booleans] = field(default_factory=dict)
    shifts: Mapping[str, ShiftOutcomes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named = {f"robust[{threat!r}]": bits for threat, bits in self.robust.items()}
        _check_lengths(self.index, label=self.label, clean_correct=self.clean_correct, **named)

    def agrees_with(self, point: FrontierPoint) -> bool:
        """Whether the counts are those of a point's accuracy and robust accuracies."""
        return _counts_are(self.clean_correct, point.accuracy) and all(
            threat in self.robust and _counts_are(self.robust[threat], estimate)
            for threat, estimate in point.robust_accuracy.items()
        )

    def write(self, path: Path) -> None:
        """Write the file in one piece.

        Its arrays: `index`, `label` (int64, n), `clean_correct` (bits packed into uint8, ⌈n/8⌉),
        `threats` (T names), `robust` (T, ⌈n/8⌉), `shifts` (S names). The examples of all shifts
        stand behind one another in `shift_index`, `shift_label` (int64) and `shift_correct`
        (packed bits); shift `s` owns `shift_offset[s]:shift_offset[s + 1]`.
        """
        shifts = list(self.shifts.values())
        shape = len(self.robust), len(self.index)
        robust = np.array(list(self.robust.values()), dtype=bool).reshape(shape)
        arrays: dict[str, NDArray[Any]] = {
            "index": _int64(self.index),
            "label": _int64(self.label),
            "clean_correct": np.packbits(self.clean_correct),
            "threats": np.array(list(self.robust), dtype=np.str_),
            "robust": np.packbits(robust, axis=1),
            "shifts": np.array(list(self.shifts), dtype=np.str_),
            "shift_offset": _int64(np.cumsum([0, *(len(shift.index) for shift in shifts)])),
            "shift_index": _int64(_join([shift.index for shift in shifts])),
            "shift_label": _int64(_join([shift.label for shift in shifts])),
            "shift_correct": np.packbits(_join([shift.correct for shift in shifts]).astype(bool)),
        }
        replace_file(path, lambda file: np.savez(file, allow_pickle=False, **arrays))

    @classmethod
    def read(cls, path: Path, *, shifts: bool = True) -> Self:
        """Read a file that `write` made.

        Args:
            path: The file.
            shifts: False leaves the shifts unread, which takes half the time.

        Raises:
            DataError: The file is missing or damaged.
        """
        try:
            arrays = StoredArrays(path.read_bytes())
            index = arrays["index"]
            robust = _unpack(arrays["robust"], len(index))
            return cls(
                index=index,
                label=arrays["label"],
                clean_correct=_unpack(arrays["clean_correct"], len(index)),
                robust=dict(zip(arrays["threats"].tolist(), robust, strict=True)),
                shifts=_split_shifts(arrays) if shifts else {},
            )
        except FileNotFoundError as error:
            message = f"{path} is missing: nothing is known about single examples of this point"
            raise DataError(message) from error
        except (OSError, ValueError, KeyError) as error:
            message = f"{path} is damaged ({error}): evaluate this step again"
            raise DataError(message) from error


def _split_shifts(arrays: Mapping[str, NDArray[Any]]) -> dict[str, ShiftOutcomes]:
    names = arrays["shifts"].tolist()
    if not names:
        return {}
    index, label, offset = arrays["shift_index"], arrays["shift_label"], arrays["shift_offset"]
    correct = _unpack(arrays["shift_correct"], len(index))
    parts = [slice(*ends) for ends in pairwise(offset)]
    return {
        name: ShiftOutcomes(index[part], label[part], correct[part])
        for name, part in zip(names, parts, strict=True)
    }


def _counts_are(bits: Booleans, estimate: Estimate) -> bool:
    return len(bits) == estimate.n and int(bits.sum()) == estimate.successes


def _check_lengths(index: Integers, **arrays: NDArray[Any]) -> None:
    for name, array in arrays.items():
        if array.shape != (len(index),):
            message = f"{name} has shape {array.shape}: expected {(len(index),)}, one per index"
            raise DataError(message)


def _join(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _int64(values: NDArray[Any]) -> Integers:
    return np.asarray(values, dtype=np.int64)


def _unpack(bits: NDArray[np.uint8], n: int) -> Booleans:
    return np.unpackbits(bits, axis=-1, count=n).astype(bool)
