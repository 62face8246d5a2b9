"""What a sweep varies: `parameters:` of a Weights & Biases sweep file, as Optuna samples it."""

import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from robust_tuning.errors import ConfigurationError

if TYPE_CHECKING:
    from optuna.trial import Trial

_SCALARS = (str, int, float, bool, type(None))
_KEYS = {"value", "values", "min", "max", "q", "distribution"}
_LOG = {"log_uniform", "log_uniform_values", "q_log_uniform", "q_log_uniform_values"}
_UNIFORM = {"uniform", "q_uniform", "int_uniform"}
_DISTRIBUTIONS = {"constant", "categorical"} | _LOG | _UNIFORM
_BOUNDS = "Optuna samples between bounds: use uniform or log_uniform_values with min and max"
_UNKNOWN_TO_OPTUNA = {
    "categorical_w_probabilities": "Optuna has no probabilities: use categorical",
    "inv_log_uniform": "the same as log_uniform_values with the bounds of the value itself",
    "inv_log_uniform_values": "the same as log_uniform_values with the bounds of the value itself",
    **dict.fromkeys(
        ("normal", "q_normal", "log_normal", "q_log_normal", "beta", "q_beta"), _BOUNDS
    ),
}


@dataclass(frozen=True)
class Choice:
    """One of some values.

    Attributes:
        name: Key of the configuration.
        values: As the file says; one alone is a constant.
    """

    name: str
    values: tuple[Any, ...]

    @property
    def cells(self) -> tuple[Any, ...]:
        """The values of a grid."""
        return self.values

    @property
    def probes(self) -> tuple[Any, ...]:
        """Values that stand for all when the configuration is checked."""
        return self.values

    @property
    def _labels(self) -> list[Any]:
        # Optuna stores plain values alone; a list or a mapping goes by its text.
        return [v if isinstance(v, _SCALARS) else json.dumps(v) for v in self.values]

    def fixed(self, value: Any) -> Any:  # noqa: ANN401  any value of a configuration
        """What Optuna stores for a value."""
        return self._labels[self.values.index(value)]

    def suggest(self, trial: "Trial") -> Any:  # noqa: ANN401  any value of a configuration
        """Let Optuna choose."""
        labels = self._labels
        return self.values[labels.index(trial.suggest_categorical(self.name, labels))]


@dataclass(frozen=True)
class Range:
    """A number between two bounds, both included.

    Attributes:
        name: Key of the configuration.
        low: Smallest.
        high: Largest.
        log: Whether its logarithm is what is spread evenly.
        step: The number is rounded to multiples of this; None does not round.
        integer: Whether it is sampled as a whole number.
    """

    name: str
    low: float
    high: float
    log: bool = False
    step: float | None = None
    integer: bool = False

    @property
    def cells(self) -> tuple[float, ...] | None:
        """The values of a grid; None where there are endlessly many."""
        if self.step is None or self.log:
            return None
        first, last = math.ceil(self.low / self.step), math.floor(self.high / self.step)
        return tuple(self._rounded(n * self.step) for n in range(first, last + 1))

    @property
    def probes(self) -> tuple[float, ...]:
        """Values that stand for all when the configuration is checked."""
        return self._rounded(self.low), self._rounded(self.high)

    def fixed(self, value: float) -> float:
        """What Optuna stores for a value."""
        return value

    def suggest(self, trial: "Trial") -> float:
        """Let Optuna choose, and round."""
        if self.integer:
            return trial.suggest_int(self.name, int(self.low), int(self.high))
        return self._rounded(trial.suggest_float(self.name, self.low, self.high, log=self.log))

    def _rounded(self, value: float) -> float:
        if self.step is None:
            return value
        near = round(value / self.step) * self.step
        return near if isinstance(self.step, int) else float(f"{near:.12g}")


Parameter = Choice | Range


def read_parameter(name: str, entry: object) -> Parameter:
    """Read one entry of `parameters:`.

    Args:
        name: Its key.
        entry: What stands there.

    Raises:
        ConfigurationError: If it is nothing that can be run here; names the parameter and the
            remedy.
    """
    if not isinstance(entry, dict):
        raise _wrong(name, f"got {entry!r}, expected value:, values:, or min: and max:")
    if "parameters" in entry:
        raise _wrong(name, f"nested parameters are not taken: write the key whole, {name}.KEY:")
    if "probabilities" in entry:
        raise _wrong(name, f"probabilities: {_UNKNOWN_TO_OPTUNA['categorical_w_probabilities']}")
    for key in sorted({"mu", "sigma", "a", "b"} & set(entry)):
        raise _wrong(name, f"{key}: {_BOUNDS}")
    kind = entry.get("distribution") or _inferred(name, entry)
    if remedy := _UNKNOWN_TO_OPTUNA.get(kind):
        raise _wrong(name, f"{kind}: {remedy}")
    if kind not in _DISTRIBUTIONS:
        raise _wrong(name, f"distribution {kind!r}{_similar(kind, _DISTRIBUTIONS)}")
    for key in set(entry) - _KEYS:
        raise _wrong(name, f"unknown key {key!r}{_similar(key, _KEYS)}")
    if kind == "constant":
        return Choice(name, (_get(name, entry, "value"),))
    if kind == "categorical":
        values = _get(name, entry, "values")
        if not isinstance(values, list) or not values:
            raise _wrong(name, f"values: {values!r}, expected a list")
        if any(values.index(value) < place for place, value in enumerate(values)):
            raise _wrong(name, "values: holds one twice")
        return Choice(name, tuple(values))
    return _range(name, kind, entry)


def _range(name: str, kind: str, entry: Mapping[str, Any]) -> Range:
    low, high = (_number(name, entry, key) for key in ("min", "max"))
    if kind in ("log_uniform", "q_log_uniform"):  # the bounds are those of the logarithm
        low, high = math.exp(low), math.exp(high)
    if not low < high:
        raise _wrong(name, f"min: {low:g} is not below max: {high:g}")
    if kind in _LOG and low <= 0:
        raise _wrong(name, f"min: {low:g} has no logarithm, expected more than 0")
    step: float | None = None
    if kind == "int_uniform":
        if low != int(low) or high != int(high):
            raise _wrong(name, "min: and max: of int_uniform are whole numbers")
        step = 1
    elif kind.startswith("q_"):
        step = _number(name, {"q": 1, **entry}, "q")
        if step <= 0:
            raise _wrong(name, f"q: {step:g}, expected more than 0")
    elif "q" in entry:
        raise _wrong(name, f"q: means nothing to {kind}, write distribution: q_{kind}")
    return Range(name, low, high, kind in _LOG, step, integer=kind == "int_uniform")


def _inferred(name: str, entry: Mapping[str, Any]) -> str:
    """The distribution that Weights & Biases takes where none is named."""
    if "value" in entry:
        return "constant"
    if "values" in entry:
        return "categorical"
    if {"min", "max"} <= set(entry):
        whole = all(type(entry[key]) is int for key in ("min", "max"))
        return "q_uniform" if "q" in entry else "int_uniform" if whole else "uniform"
    raise _wrong(name, f"holds {sorted(entry)}, expected value:, values:, or min: and max:")


def _number(name: str, entry: Mapping[str, Any], key: str) -> float:
    value = _get(name, entry, key)
    if type(value) not in (int, float) or not math.isfinite(value):
        hint = f"; YAML reads {value} as text, write 1.0e-3 for 1e-3" if _is_number(value) else ""
        raise _wrong(name, f"{key}: {value!r}, expected a number{hint}")
    number: float = value
    return number


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return isinstance(value, str)


def _get(name: str, entry: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401  what a file holds
    if key not in entry:
        raise _wrong(name, f"{key}: is missing")
    return entry[key]


def _similar(got: str, known: set[str]) -> str:
    near = difflib.get_close_matches(str(got), sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else f"; known: {', '.join(sorted(known))}"


def _wrong(name: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"parameters, {name}: {what}")
