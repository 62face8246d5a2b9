"""One set of examples from the rows of a published file."""

from collections.abc import Sequence

from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.data.external import Rows
from robust_tuning.shifts.arrays import ArrayExamples
from robust_tuning.shifts.base import ShiftedSet
from robust_tuning.shifts.label_map import LabelMap


def set_of_rows(
    key: str, rows: Rows, labels: LabelMap, source: BenchmarkDataModule, n: int | None
) -> Sequence[ShiftedSet]:
    """A shifted set whose examples are known by their rows.

    Args:
        key: Name of the set.
        rows: Its images, with its own labels.
        labels: How these become the benchmark's.
        source: The benchmark.
        n: How many examples of those that are not left out; None takes all.

    Raises:
        DataError: If there are fewer.
    """
    kept, mapped = labels.apply(rows.labels)
    chosen = source.chosen([f"{key}/{row}" for row in kept], n, f"shifted set {key}")
    examples = ArrayExamples(rows.pixels, kept[chosen], mapped[chosen], kept[chosen])
    return [ShiftedSet(key, examples, labels, findings=labels.findings(rows.labels))]
