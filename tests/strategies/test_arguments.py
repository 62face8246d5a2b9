import pytest

from robust_tuning.errors import ConfigurationError
from robust_tuning.strategies.arguments import at_least, choices


def test_choices_keep_the_order_and_drop_repetitions() -> None:
    assert choices("X", ["b", "a", "b"], ("a", "b", "c")) == ("b", "a")


@pytest.mark.parametrize("values", [[], ["d"], ["a", "d"], "ab"])
def test_other_choices_are_refused_with_the_allowed_ones(values: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"X are .*one or more of \['a', 'b'\]"):
        choices("X", values, ("a", "b"))


def test_at_least_includes_the_bound() -> None:
    assert at_least("X", 1, 1) == 1
    for value in (0, 1.5):
        with pytest.raises(ConfigurationError, match=f"X is {value}, expected a whole number"):
            at_least("X", value, 1)  # type: ignore[arg-type]  # the point
