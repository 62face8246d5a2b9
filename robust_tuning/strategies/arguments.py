"""Checks of arguments that several strategies share."""

from collections.abc import Sequence
from typing import TypeVar

from robust_tuning.errors import ConfigurationError

T = TypeVar("T", bound=str)


def choices(argument: str, values: Sequence[T], allowed: Sequence[str]) -> tuple[T, ...]:
    """A non-empty selection, without repetitions.

    Args:
        argument: What is being set, for the message.
        values: The selection as given.
        allowed: What it may contain.

    Raises:
        ConfigurationError: If it is empty, a bare string or contains anything else.

    Examples:
        >>> choices("Adapter's places", ["mlp", "mlp"], ("attn", "mlp"))
        ('mlp',)
    """
    selected = tuple(dict.fromkeys(values))
    if isinstance(values, str) or not selected or not set(selected) <= set(allowed):
        message = f"{argument} are {values!r}, expected a list of one or more of {list(allowed)}"
        raise ConfigurationError(message)
    return selected


def at_least(argument: str, value: int, low: int) -> int:
    """A whole number that is not too small.

    Args:
        argument: What is being set, for the message.
        value: As given.
        low: The smallest that works.

    Raises:
        ConfigurationError: If it is smaller, or not a whole number.

    Examples:
        >>> at_least("LoRA's rank", 8, 1)
        8
    """
    if not isinstance(value, int) or value < low:
        message = f"{argument} is {value!r}, expected a whole number of at least {low}"
        raise ConfigurationError(message)
    return value
