from abc import ABC, abstractmethod

from robust_tuning.cli.plugins import BASES, concrete_subclasses, known_plugins


class Base(ABC):
    @abstractmethod
    def work(self) -> None: ...


class Middle(Base): ...


class Leaf(Middle):
    def work(self) -> None: ...


class _Hidden(Leaf): ...


class BelowHidden(_Hidden): ...


def test_subclasses_are_found_at_any_depth_but_not_what_cannot_be_built() -> None:
    assert {cls.__name__ for cls in concrete_subclasses(Base)} == {"Leaf", "BelowHidden"}


def test_the_seven_strategies_are_known() -> None:
    seven = {"FullFineTuning", "LinearProbe", "BitFit", "LoRA", "IA3", "Adapter", "Compacter"}
    assert seven <= set(known_plugins("model.strategy"))


def test_every_base_has_plugins_and_other_keys_have_none() -> None:
    assert all(known_plugins(key) for key in BASES)
    assert known_plugins("model.lr") == []


def test_wrappers_of_other_libraries_are_no_optimisers() -> None:
    names = known_plugins("model.optimizer")
    assert {"AdamW", "SGD"} <= set(names)
    assert not any("Accelerated" in name for name in names)
    assert {"CosineDecay", "LinearDecay"} <= set(known_plugins("model.lr_scheduler"))
