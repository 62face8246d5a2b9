"""Every benchmark in its official layout, with a few synthetic images of its first classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from robust_tuning.data import (
    CIFAR10,
    CIFAR100,
    CUB200,
    BenchmarkDataModule,
    Caltech256,
    DomainNet,
    StanfordDogs,
)
from robust_tuning.data.class_lists import read_classes
from tests.layouts import (
    lay_out_caltech256,
    lay_out_cifar,
    lay_out_cub,
    lay_out_domainnet,
    lay_out_stanford_dogs,
)
from tests.material import Material

DOMAINS = ("real", "sketch", "clipart")


def lay_out(
    kind: type[BenchmarkDataModule], root: Path, *, train: int = 20, test: int = 4
) -> dict[str, Any]:
    """Lay a benchmark out with three classes of as many images each.

    Returns:
        The arguments that its data module needs to take them for the whole.
    """
    sizes = {"train": 3 * train, "test": 3 * test}
    if kind is CIFAR10:
        lay_out_cifar(_made("cifar10", train, test, range(10)), root, "cifar10")
        sizes = {"train": 10 * train, "test": 10 * test}
    elif kind is CIFAR100:
        lay_out_cifar(_made("cifar100", train, test), root, "cifar100")
    elif kind is CUB200:
        lay_out_cub(_made("cub200", train, test), root)
    elif kind is StanfordDogs:
        lay_out_stanford_dogs(_made("stanford_dogs", train, test), root)
    elif kind is Caltech256:
        lay_out_caltech256(_made("caltech256", 5 * train, 5 * test, (0, 1, 2, 256)), root)
        sizes = {"all": 15 * (train + test)}
    elif kind is DomainNet:
        classes = (0, 40, 344)
        made = {name: _made("domainnet", train, test, classes) for name in DOMAINS}
        lay_out_domainnet(made, root)
        halves = {"train": 3 * train, "test": 3 * test}
        sizes = {f"{name}_{half}": n for name in DOMAINS for half, n in halves.items()}
    else:
        message = f"there is no layout of {kind.__name__}"
        raise ValueError(message)
    return {"root": str(root), "expected": sizes}


def _made(name: str, train: int, test: int, classes: Sequence[int] = (0, 1, 2)) -> Material:
    names = read_classes(name)
    return Material.synthetic([names[label] for label in classes], train, test)
