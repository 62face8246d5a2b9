"""The text lists that benchmarks come with."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robust_tuning.errors import DataError


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Read lines of two words separated by the last space.

    Raises:
        DataError: If the file cannot be read or a line is not of this form.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read ({error}); prepare the benchmark again"
        raise DataError(message) from error
    pairs = []
    for number, line in enumerate(lines, start=1):
        first, _, last = line.strip().rpartition(" ")
        if first:
            pairs.append((first, last))
        elif line.strip():
            message = f"{path}, line {number}: {line[:80]!r}, expected two words; is it complete?"
            raise DataError(message)
    return pairs


def read_table(path: Path) -> dict[str, str]:
    """Read lines of `<number> <value>`.

    Returns:
        The values by number.

    Raises:
        DataError: If a line is not of this form, or two lines have one number.
    """
    pairs = read_pairs(path)
    odd = [number for number, _ in pairs if not number.isdecimal()]
    table = dict(pairs)
    if odd or len(table) != len(pairs):
        problem = f"{odd[0]!r} is no number" if odd else "a number occurs twice"
        message = f"{path}: {problem}; expected lines of '<number> <value>'"
        raise DataError(message)
    return table


def labels_within(
    labels: Iterable[int | str], num_classes: int, path: Path, *, first: int = 0
) -> NDArray[np.int64]:
    """Labels as an array, counted from 0.

    Args:
        labels: As the list has them.
        num_classes: Classes of the benchmark.
        path: The list.
        first: What the list calls the first class.

    Raises:
        DataError: If one is not that of a class.
    """
    try:
        found = np.array([int(label) for label in labels], dtype=np.int64)
    except ValueError as error:
        message = f"{path}: a label is no number ({error}); the list is damaged"
        raise DataError(message) from error
    odd = found[(found < first) | (found >= first + num_classes)]
    if odd.size:
        message = (
            f"{path}: {odd.size} labels are not in {first} to {first + num_classes - 1}, such as "
            f"{odd[0]}; the list belongs to another version, or is damaged"
        )
        raise DataError(message)
    return found - first
