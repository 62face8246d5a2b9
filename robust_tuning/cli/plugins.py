"""Which plugins there are: every importable subclass of a room's base."""

import inspect
from collections.abc import Iterator

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from robust_tuning.attacks import Adversary
from robust_tuning.data import BenchmarkDataModule
from robust_tuning.objectives import Objective
from robust_tuning.shifts import Shift
from robust_tuning.strategies import Strategy

_HOMES = ("torch.", "robust_tuning.")

BASES: dict[str, type] = {
    "model.strategy": Strategy,
    "model.objective": Objective,
    "model.optimizer": Optimizer,
    "model.lr_scheduler": LRScheduler,
    "adversarial.attack": Adversary,
    "ood.shifts": Shift,
    "ood.attack": Adversary,
    "data": BenchmarkDataModule,
}


def known_plugins(key: str) -> list[str]:
    """Short names that a key of the configuration takes; empty for a key that takes no plugin."""
    base = BASES.get(key)
    return sorted({cls.__name__ for cls in concrete_subclasses(base)}) if base else []


def concrete_subclasses(base: type) -> Iterator[type]:
    """Every subclass that can be instantiated and whose name is public."""
    subclasses: list[type] = base.__subclasses__()
    for cls in subclasses:
        # Libraries that happen to be loaded wrap torch's optimisers in classes of their own.
        if base.__module__.startswith("torch") and not cls.__module__.startswith(_HOMES):
            continue
        if not inspect.isabstract(cls) and not cls.__name__.startswith("_"):
            yield cls
        yield from concrete_subclasses(cls)
