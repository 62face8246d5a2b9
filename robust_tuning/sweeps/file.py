"""A Weights & Biases sweep file, read and checked."""

import difflib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml  # type: ignore[import-untyped]  # has no annotations

from robust_tuning.errors import ConfigurationError
from robust_tuning.sweeps.command import run_name, training_words
from robust_tuning.sweeps.early_stopping import Hyperband, read_hyperband
from robust_tuning.sweeps.measure import check_metric
from robust_tuning.sweeps.parameters import Parameter, read_parameter

Method = Literal["grid", "random", "bayes", "pareto"]

_KEYS = {
    *("name", "description", "project", "entity", "program", "method", "metric", "parameters"),
    *("command", "early_terminate", "run_cap"),
}
# What decides which runs there are and how they are judged; how many may be raised later.
_IDENTITY = ("method", "metric", "parameters", "command", "program", "early_terminate")


@dataclass(frozen=True)
class Sweep:
    """What a sweep file says.

    Attributes:
        name: Of the sweep.
        content: The file.
        method: How the values of a run are chosen.
        parameters: What varies, in the order of the file.
        metric: What a run is judged by.
        maximise: Whether more of it is better.
        hyperband: When runs are stopped early; None lets all of them end.
        size: How many runs there are.
    """

    name: str
    content: Mapping[str, Any]
    method: Method
    parameters: tuple[Parameter, ...]
    metric: str
    maximise: bool
    hyperband: Hyperband | None
    size: int

    @property
    def cells(self) -> list[dict[str, Any]]:
        """By run, the values that are settled beforehand: all of a grid, none otherwise."""
        if self.method != "grid":
            return [{} for _ in range(self.size)]
        names = [parameter.name for parameter in self.parameters]
        product = itertools.product(*(parameter.cells or () for parameter in self.parameters))
        cells = itertools.islice(product, self.size)
        return [dict(zip(names, cell, strict=True)) for cell in cells]

    def words(self, values: Mapping[str, Any]) -> list[str]:
        """The words behind `robust-tuning` that run some values."""
        return training_words(self.content["command"], self.content.get("program"), values)

    def run_name(self, index: int, values: Mapping[str, Any]) -> str:
        """The folder of a run; its values are in the name where they do not depend on others'."""
        varying = {p.name for p in self.parameters if len(p.probes) > 1}
        told = {k: v for k, v in values.items() if k in varying and self.method == "grid"}
        return run_name(index, told)

    @property
    def robust_metric(self) -> str | None:
        """Under `method: pareto` what the second objective is; None for the mean over threats."""
        return self.metric if self.metric.startswith("frontier/robust_accuracy/") else None

    @property
    def identity(self) -> dict[str, Any]:
        """Equal for files whose runs may stand side by side, as plain values."""
        plain = {key: self.content.get(key) for key in _IDENTITY}
        identity: dict[str, Any] = json.loads(json.dumps(plain, default=str))
        return identity


def read_sweep(path: Path, count: int | None = None) -> Sweep:
    """Read a sweep file.

    Args:
        path: The file.
        count: How many runs, in place of the file's `run_cap`; a grid has as many as it has cells.

    Raises:
        ConfigurationError: If the file cannot be read, or says what cannot be run; names the key.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        message = f"{path} is no YAML file that can be read: {' '.join(str(error).split())}"
        raise ConfigurationError(message) from error
    try:
        return to_sweep(content, path.stem, count)
    except ConfigurationError as error:
        message = f"{path}: {error}"
        raise ConfigurationError(message) from error


def to_sweep(content: object, stem: str, count: int | None = None) -> Sweep:
    """Understand what a sweep file holds.

    Args:
        content: The file.
        stem: The sweep's name where the file has none.
        count: As for `read_sweep`.

    Raises:
        ConfigurationError: As for `read_sweep`.
    """
    if not isinstance(content, dict):
        message = "holds no sweep, expected keys such as method: and parameters:"
        raise ConfigurationError(message)
    for key in content:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), sorted(_KEYS), n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(_KEYS))}"
            message = f"unknown key {key!r}; {hint}"
            raise ConfigurationError(message)
    method: Any = content.get("method")
    if method not in get_args(Method):
        message = f"method: {method!r}, expected one of {', '.join(get_args(Method))}"
        raise ConfigurationError(message)
    parameters = _parameters(content.get("parameters"), method)
    metric, maximise = _metric(content.get("metric"), method)
    early = content.get("early_terminate")
    if early is not None and method == "pareto":
        message = "early_terminate: two objectives have no single order to stop by, leave it out"
        raise ConfigurationError(message)
    sweep = Sweep(
        name=str(content.get("name") or stem),
        content={**content, "command": [str(word) for word in content.get("command") or ()]},
        method=method,
        parameters=parameters,
        metric=metric,
        maximise=maximise,
        hyperband=None if early is None else read_hyperband(early),
        size=_size(content, method, parameters, count),
    )
    sweep.words({})  # a command that runs something else is refused here
    return sweep


def _parameters(entries: object, method: Method) -> tuple[Parameter, ...]:
    if not isinstance(entries, dict) or not entries:
        message = "parameters: is missing or empty, expected KEY: {values: [...]}"
        raise ConfigurationError(message)
    parameters = tuple(read_parameter(str(name), entry) for name, entry in entries.items())
    for place, parameter in enumerate(parameters):
        if method == "grid" and parameter.cells is None:
            message = (
                f"parameters, {parameter.name}: a grid needs values:, or q_uniform; "
                "random, bayes and pareto take ranges"
            )
            raise ConfigurationError(message)
        if parameter.name == "config" and place > 0:
            message = "parameters, config: put it first: a file replaces what stands before it"
            raise ConfigurationError(message)
    if not any(len(parameter.probes) > 1 for parameter in parameters):
        message = "parameters: nothing varies, every one has a single value"
        raise ConfigurationError(message)
    return parameters


def _metric(entry: object, method: Method) -> tuple[str, bool]:
    if entry is None and method != "bayes":
        return "frontier/area", True
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        message = f"metric: got {entry!r}, expected {{name: frontier/area, goal: maximize}}"
        raise ConfigurationError(message)
    goal = entry.get("goal", "minimize")  # what Weights & Biases takes it to be
    if goal not in ("maximize", "minimize") or set(entry) - {"name", "goal", "target"}:
        message = f"metric: got {entry!r}, expected name: and goal: maximize or minimize"
        raise ConfigurationError(message)
    check_metric(entry["name"])
    return entry["name"], goal == "maximize"


def _size(
    content: Mapping[str, Any],
    method: Method,
    parameters: tuple[Parameter, ...],
    count: int | None,
) -> int:
    cap = content.get("run_cap") if count is None else count
    if cap is not None and (type(cap) is not int or cap < 1):
        message = f"run_cap: {cap!r}, expected a whole number from 1 on"
        raise ConfigurationError(message)
    if method != "grid":
        if cap is None:
            message = f"run_cap: is missing; {method} has no end: say how many runs, or --count N"
            raise ConfigurationError(message)
        return int(cap)
    size = 1
    for parameter in parameters:
        size *= len(parameter.cells or ())
    return size if cap is None else min(size, int(cap))
