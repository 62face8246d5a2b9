"""Stopping runs that lag behind: Hyperband as Weights & Biases reads it from a sweep file."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from robust_tuning.errors import ConfigurationError

_KEYS = {"type", "min_iter", "max_iter", "s", "eta", "strict"}


@dataclass(frozen=True)
class Hyperband:
    """After so many evaluations, only the best of the runs that came as far go on.

    Attributes:
        bands: After how many evaluations, rising.
        eta: One in so many goes on.
        strict: Compare a run's value at the band, not the best it has had since.
    """

    bands: tuple[int, ...]
    eta: float
    strict: bool = False

    def stops(self, history: Sequence[float], others: Sequence[Sequence[float]]) -> bool:
        """Whether a run lags behind.

        Args:
            history: Its values, one per evaluation, larger being better.
            others: The same of every other run, ended or not.

        >>> Hyperband((1, 2), eta=2).stops([0.1, 0.1], [[0.1, 0.3], [0.1, 0.4]])
        True
        """
        reached = [band for band in self.bands if band <= len(history)]
        if not reached:
            return False
        band = reached[-1]
        runs = [run for run in (history, *others) if len(run) >= band]
        values = sorted((run[band - 1] for run in runs), reverse=True)
        threshold = values[int(len(values) / self.eta)]
        return (history[band - 1] if self.strict else max(history)) < threshold


def read_hyperband(entry: object) -> Hyperband:
    """Read `early_terminate:`.

    Raises:
        ConfigurationError: If it is no Hyperband; names the key.
    """
    if not isinstance(entry, dict) or entry.get("type") != "hyperband":
        message = f"early_terminate: got {entry!r}, expected type: hyperband and min_iter: N"
        raise ConfigurationError(message)
    for key in set(entry) - _KEYS:
        near = difflib.get_close_matches(str(key), sorted(_KEYS), n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(_KEYS))}"
        message = f"early_terminate: unknown key {key!r}; {hint}"
        raise ConfigurationError(message)
    eta = _at_least(entry, "eta", 3, least=2)
    if ("min_iter" in entry) == ("max_iter" in entry):
        message = "early_terminate: give min_iter: N, or max_iter: N with s: HOW_OFTEN"
        raise ConfigurationError(message)
    if "min_iter" in entry:
        first = _at_least(entry, "min_iter", 1, least=1)
        bands = [first * eta**power for power in range(40)]
    else:
        if "s" not in entry:
            message = "early_terminate: max_iter: needs s:, how many bands there are below it"
            raise ConfigurationError(message)
        last, count = (_at_least(entry, key, 1, least=1) for key in ("max_iter", "s"))
        bands = sorted(last // eta**power for power in range(1, count + 1) if last >= eta**power)
        if not bands:
            message = f"early_terminate: max_iter: {last} is below eta: {eta}, nothing can stop"
            raise ConfigurationError(message)
    return Hyperband(tuple(bands), eta, strict=bool(entry.get("strict", False)))


def _at_least(entry: Mapping[str, Any], key: str, default: int, *, least: int) -> int:
    value = entry.get(key, default)
    if type(value) is not int or value < least:
        message = f"early_terminate: {key}: {value!r}, expected a whole number from {least} on"
        raise ConfigurationError(message)
    return value
