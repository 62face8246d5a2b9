"""Whether what was asked of a set can be had from it."""

import difflib
from collections.abc import Iterable

from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.errors import ConfigurationError


def require_classes(shift: str, names: Iterable[str], source: BenchmarkDataModule) -> None:
    """Refuse a benchmark that lacks classes of a set.

    Args:
        shift: The set, for the error.
        names: The benchmark's classes that the set shows.
        source: The benchmark in use.

    Raises:
        ConfigurationError: Says how many are lacking, and one of them.
    """
    lacking = sorted(set(names).difference(source.class_names))
    if lacking:
        near = difflib.get_close_matches(lacking[0], source.class_names, n=1, cutoff=0.6)
        hint = f" (it has {near[0]!r})" if near else ""
        message = (
            f"{shift} shows {len(lacking)} classes that {source.benchmark} does not have, such as "
            f"{lacking[0]!r}{hint}; measure it on a model of a benchmark that has them"
        )
        raise ConfigurationError(message)


def require_choice(name: str, got: str, known: Iterable[str]) -> None:
    """Refuse a word that is none of the known ones.

    Raises:
        ConfigurationError: Lists them.
    """
    words = list(known)
    if got not in words:
        message = f"{name} is {got!r}, expected one of {', '.join(words)}"
        raise ConfigurationError(message)
