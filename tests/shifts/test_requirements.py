import pytest

from robust_tuning.data import CIFAR10, Digits
from robust_tuning.errors import ConfigurationError
from robust_tuning.shifts.requirements import require_choice, require_classes


def test_a_benchmark_with_all_the_classes_will_do() -> None:
    require_classes("cats and dogs", ["cat", "dog"], CIFAR10("x"))


def test_lacking_classes_are_told_with_what_is_near() -> None:
    said = r"pets shows 2 classes that CIFAR10 does not have, such as 'cats' \(it has 'cat'\)"
    with pytest.raises(ConfigurationError, match=said):
        require_classes("pets", ["dog", "hamster", "cats"], CIFAR10("x"))
    with pytest.raises(ConfigurationError, match="such as 'dog'; measure it"):
        require_classes("pets", ["dog"], Digits())


def test_a_choice_is_among_the_known() -> None:
    require_choice("version", "v6", {"v4": 1, "v6": 2})
    with pytest.raises(ConfigurationError, match="version is 'v7', expected one of v4, v6"):
        require_choice("version", "v7", {"v4": 1, "v6": 2})
