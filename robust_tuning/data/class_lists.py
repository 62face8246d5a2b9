"""The classes of the public benchmarks in label order, known before any file is downloaded."""

from functools import cache
from importlib.resources import files

_COUNTED = {"caltech256"}


@cache
def read_classes(name: str) -> tuple[str, ...]:
    """Read a benchmark's classes; the label of a class is its position.

    Spelling and order are the benchmark's own: folder names for `caltech256`, `cub200` and
    `stanford_dogs`, the file `batches.meta` or `meta` (fine labels) for `cifar10` and `cifar100`,
    and the numbers in the file names for `domainnet`, whose order is not a sorted one.

    Args:
        name: `caltech256`, `cifar10`, `cifar100`, `cub200`, `domainnet` or `stanford_dogs`.

    Example:
        >>> read_classes("cub200")[:2]
        ('001.Black_footed_Albatross', '002.Laysan_Albatross')
    """
    return tuple(read_counts(name) if name in _COUNTED else _lines(f"{name}.txt"))


def read_counts(name: str) -> dict[str, int]:
    """Read how many images the official archive holds of each class, in label order.

    Args:
        name: `caltech256`, the one benchmark without an official split.

    Example:
        >>> read_counts("caltech256")["257.clutter"]
        827
    """
    rows = (line.split("\t") for line in _lines(f"{name}.tsv"))
    return {folder: int(count) for folder, count in rows}


def _lines(file: str) -> list[str]:
    folder = files("robust_tuning.data") / "classes"
    return (folder / file).read_text(encoding="utf-8").splitlines()
