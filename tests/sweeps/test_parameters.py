import math
from typing import Any

import pytest
from optuna.trial import FixedTrial

from robust_tuning.errors import ConfigurationError
from robust_tuning.sweeps.parameters import Choice, Range, read_parameter


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"value": 3}, Choice("x", (3,))),
        ({"values": ["a", [1, 2]]}, Choice("x", ("a", [1, 2]))),
        ({"min": 1, "max": 3}, Range("x", 1, 3, step=1, integer=True)),
        ({"min": 1.0, "max": 3}, Range("x", 1.0, 3)),
        ({"distribution": "uniform", "min": 0, "max": 1}, Range("x", 0, 1)),
        ({"min": 0.0, "max": 1.0, "q": 0.25}, Range("x", 0.0, 1.0, step=0.25)),
        (
            {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2},
            Range("x", 1e-4, 1e-2, log=True),
        ),
        (
            {"distribution": "q_log_uniform_values", "min": 8, "max": 64, "q": 8},
            Range("x", 8, 64, log=True, step=8),
        ),
        (
            {"distribution": "log_uniform", "min": 0, "max": 1},
            Range("x", 1.0, math.e, log=True),
        ),
    ],
)
def test_what_weights_and_biases_means(entry: dict[str, Any], expected: object) -> None:
    assert read_parameter("x", entry) == expected


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (3, "got 3, expected value:"),
        ({"parameters": {"lr": {"value": 1}}}, r"write the key whole, x\.KEY"),
        ({"values": [1, 2], "probabilities": [0.5, 0.5]}, "probabilities: Optuna has none|use cat"),
        ({"distribution": "normal", "mu": 0}, "use uniform or log_uniform_values"),
        ({"distribution": "q_beta"}, "use uniform or log_uniform_values"),
        ({"distribution": "inv_log_uniform_values", "min": 1, "max": 2}, "log_uniform_values"),
        ({"distribution": "unifrom", "min": 0, "max": 1}, "did you mean uniform"),
        ({"valeus": [1]}, r"holds \['valeus'\]"),
        ({"values": [1], "vlaue": 2}, "unknown key 'vlaue'; did you mean value"),
        ({"values": []}, "expected a list"),
        ({"values": [1, 1]}, "one twice"),
        ({"min": 2, "max": 1}, "not below"),
        ({"min": "1e-3", "max": 1.0}, r"write 1\.0e-3"),
        ({"distribution": "uniform", "min": 0}, "max: is missing"),
        ({"distribution": "log_uniform_values", "min": 0, "max": 1}, "no logarithm"),
        ({"distribution": "uniform", "min": 0, "max": 1, "q": 2}, "q_uniform"),
        ({"distribution": "int_uniform", "min": 0.5, "max": 2}, "whole numbers"),
    ],
)
def test_what_cannot_be_run_is_named(entry: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"parameters, x: .*({said})"):
        read_parameter("x", entry)


def test_a_grid_has_every_multiple_between_the_bounds() -> None:
    assert Range("x", 0.15, 0.55, step=0.1).cells == (0.2, 0.3, 0.4, 0.5)
    assert Range("x", 1, 3, step=1, integer=True).cells == (1, 2, 3)
    assert Range("x", 0.0, 1.0).cells is None


def test_a_choice_of_lists_survives_the_storage() -> None:
    choice = Choice("x", ([1], [2, 3], "[1]x"))
    for value in choice.values:
        stored = choice.fixed(value)
        assert isinstance(stored, str)
        assert choice.suggest(FixedTrial({"x": stored})) == value  # type: ignore[arg-type]


def test_numbers_are_rounded_as_the_command_line_wants_them() -> None:
    batch = Range("x", 8, 64, log=True, step=8)
    drawn = batch.suggest(FixedTrial({"x": 27.0}))  # type: ignore[arg-type]
    assert (drawn, type(drawn)) == (24, int)
    assert Range("x", 0.0, 1.0, step=0.1).suggest(FixedTrial({"x": 0.31})) == 0.3  # type: ignore[arg-type]
    assert Range("x", 1, 9, step=1, integer=True).suggest(FixedTrial({"x": 4})) == 4  # type: ignore[arg-type]
