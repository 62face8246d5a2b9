import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robust_tuning.attacks import PGD
from robust_tuning.errors import ConfigurationError
from robust_tuning.plugins import from_spec, spec_of


class Leaf:
    def __init__(self, size: int = 1, *, name: str | None = None) -> None:
        self.size, self.name = size, name


class Tree:
    """Takes plain values and plugins, alone, in lists and in dicts."""

    def __init__(
        self, leaf: object, leaves: list[object], named: dict[str, object], rate: float
    ) -> None:
        self.leaf, self.leaves, self.named, self.rate = leaf, leaves, named, rate


class Bare:
    """Has no arguments at all."""


class Forgetful:
    def __init__(self, kept: int, lost: int) -> None:
        self.kept = kept


class Holder:
    def __init__(self, value: object) -> None:
        self.value = value


class Strict:
    def __init__(self, size: int) -> None:
        if size > 3:
            message = f"size is {size}, expected at most 3"
            raise ConfigurationError(message)
        self.size = size


def described(plugin: object) -> object:
    """A plugin's class and attributes, all the way down."""
    if isinstance(plugin, list):
        return [described(item) for item in plugin]
    if isinstance(plugin, dict):
        return {key: described(item) for key, item in plugin.items()}
    if isinstance(plugin, Leaf | Tree | Bare | Holder):
        return (type(plugin), described(vars(plugin)))
    return plugin


@pytest.mark.parametrize(
    "plugin",
    [
        Leaf(3, name="oak"),
        Bare(),
        Holder(None),
        Holder([1, "two", 3.0, True, None, [], {}]),
        Holder({"a": {"b": [1]}}),
        Tree(Leaf(), [Leaf(2), 5, Bare()], {"big": Leaf(9), "deep": {"er": Leaf(4)}}, 0.5),
    ],
)
def test_a_plugin_survives_being_written_as_json(plugin: object) -> None:
    spec = json.loads(json.dumps(spec_of(plugin)))
    assert described(from_spec(spec)) == described(plugin)


def test_a_spec_is_what_a_configuration_file_says() -> None:
    assert spec_of(PGD(eps="2/255", steps=3)) == {
        "class_path": "robust_tuning.attacks.pgd.PGD",
        "init_args": {
            "eps": "2/255",
            "norm": "linf",
            "steps": 3,
            "step_size": None,
            "random_start": True,
            "select": "any",
            "seed": 0,
        },
    }


def test_an_argument_that_was_not_kept_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"Forgetful .*'lost'.*self\.lost = lost"):
        spec_of(Forgetful(1, 2))


@pytest.mark.parametrize(
    "value", [print, len, {1, 2}, object(), Path("here"), np.zeros(2), np.int64(3), b"raw", 1j]
)
def test_what_cannot_be_written_down_is_refused_instead_of_rebuilt_as_something_else(
    value: object,
) -> None:
    with pytest.raises(
        ConfigurationError, match=r"Holder\.value is a \w+, which cannot be written"
    ):
        spec_of(Holder(value))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"class_path": "nowhere.Thing", "init_args": {}}, "nowhere.Thing cannot be built again"),
        ({"class_path": "json.Thing", "init_args": {}}, "json.Thing cannot be built again"),
        ({"class_path": "Thing", "init_args": {}}, "Thing cannot be built again"),
        ({"class_path": f"{__name__}.Leaf", "init_args": {"weight": 1}}, "weight"),
        ({"class_path": f"{__name__}.Strict", "init_args": {"size": 4}}, "expected at most 3"),
        (
            {
                "class_path": f"{__name__}.Holder",
                "init_args": {"value": {"class_path": "a.B", "init_args": {}}},
            },
            "a.B cannot be built again",
        ),
    ],
)
def test_what_cannot_be_built_again_is_named(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        from_spec(spec)
