"""One evaluation of one model state, and its line in `frontier.jsonl`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from typing import Any, NoReturn, Self, TypeVar

from robust_tuning.errors import DataError, RunError
from robust_tuning.frontier.statistics import wilson

SCHEMA = 1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A proportion that never travels alone.

    Attributes:
        value: The proportion, in [0, 1].
        n: Of how many examples, at least one.
        low: Lower end of its Wilson 95 % interval.
        high: Upper end.

    Raises:
        DataError: Not `0 <= low <= value <= high <= 1`, not finite, or no examples.
    """

    value: float
    n: int
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.n < 1 or not 0 <= self.low <= self.value <= self.high <= 1:
            message = f"{self}: expected n >= 1 and 0 <= low <= value <= high <= 1"
            raise DataError(message)

    @classmethod
    def of(cls, successes: int, n: int, confidence: float = 0.95) -> Self:
        """Estimate a proportion from counts, with its Wilson interval.

        Raises:
            DataError: `n` is 0: nothing was measured, so there is no value to give.
            ConfigurationError: `successes` outside [0, n].

        >>> Estimate.of(3, 4).value
        0.75
        """
        low, high = wilson(successes, n, confidence)
        if n == 0:
            message = "an estimate from no examples: expected at least one"
            raise DataError(message)
        return cls(successes / n, n, low, high)

    @property
    def successes(self) -> int:
        """The count that the value was made from."""
        return round(self.value * self.n)


@dataclass(frozen=True, slots=True)
class AttackIdentity:
    """Which attack measured a robust accuracy.

    Attributes:
        class_path: Importable name of the attack class.
        settings: Its init arguments, as plain JSON values.
        fingerprint: Equal exactly when two robust accuracies may be compared.
    """

    class_path: str
    settings: Mapping[str, Any]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ShiftIdentity:
    """Which shift measured some out-of-distribution accuracies.

    Attributes:
        class_path: Importable name of the shift's class.
        settings: Its init arguments and what else decides the numbers, such as the `table` of
            parameters that corruptions used, as plain JSON values.
        fingerprint: Equal exactly when two accuracies under one key may be compared.
        keys: Those of `ood_accuracy` that belong to it, in order.
    """

    class_path: str
    settings: Mapping[str, Any]
    fingerprint: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What an evaluation cost.

    Attributes:
        seconds: Wall time.
        forward: Forward passes, counted in examples.
        backward: Backward passes, counted in examples.
        peak_memory: In bytes: on a GPU the most that was allocated meanwhile, elsewhere the most
            that the process had held; 0 where it is not known.
    """

    seconds: float
    forward: int
    backward: int
    peak_memory: int = 0


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """One evaluation of one model state: a line of `frontier.jsonl`.

    Attributes:
        run: Name of the run.
        time: When it was measured, ISO 8601.
        code_version: Version of the package.
        config_hash: Hash of the resolved configuration.
        benchmark: Name of the benchmark.
        backbone: What was adapted; two backbones that are not the same have different names.
        strategy: Name of the strategy.
        strategy_args: Its init arguments, as plain JSON values.
        objective: Name of the training objective.
        seed: Seed of the run.
        split: Which split the examples come from, "validation" unless told otherwise.
        step: Optimiser steps done.
        epoch: Epochs done.
        trainable_parameters: How many parameters the strategy trains.
        total_parameters: Of how many.
        accuracy: On clean images.
        robust_accuracy: By threat, `"linf-1/255"`.
        ood_accuracy: By shift, `"gaussian_noise-3"`.
        attack: What measured the robust accuracies; None where none was measured.
        cost: What the evaluation cost.
        diagnostics: By threat, counts that tell a weak attack: examples attacked, those whose
            gradients were all zero, those with a gradient that is not finite, and whether the model
            is random. Empty in points that were written without them.
        shifts: By name of the shift, what measured `ood_accuracy`. Empty where nothing was.
        calibration: By shift, and under `clean` for the benchmark's own images, the expected
            calibration error with a bootstrap interval. Empty where it was not measured.
    """

    run: str
    time: str
    code_version: str
    config_hash: str
    benchmark: str
    backbone: str
    strategy: str
    strategy_args: Mapping[str, Any]
    objective: str
    seed: int
    split: str
    step: int
    epoch: int
    trainable_parameters: int
    total_parameters: int
    accuracy: Estimate
    robust_accuracy: Mapping[str, Estimate]
    ood_accuracy: Mapping[str, Estimate]
    attack: AttackIdentity | None
    cost: Cost
    diagnostics: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    shifts: Mapping[str, ShiftIdentity] = field(default_factory=dict)
    calibration: Mapping[str, Estimate] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.robust_accuracy and self.attack is None:
            message = "robust_accuracy without the attack that measured it: give its AttackIdentity"
            raise DataError(message)

    @property
    def shift_means(self) -> dict[str, float]:
        """By shift the mean over its sets, each counting alike."""
        return {
            name: sum(self.ood_accuracy[key].value for key in shift.keys) / len(shift.keys)
            for name, shift in self.shifts.items()
        }

    def to_json(self) -> str:
        """The point as one line of JSON, without the end of line.

        Raises:
            DataError: A value that JSON cannot hold: NaN, an array, a path.
        """
        try:
            return json.dumps({"schema": SCHEMA, **asdict(self)}, allow_nan=False)
        except (TypeError, ValueError) as error:
            message = f"point of run {self.run!r} at step {self.step} cannot be stored: {error}"
            raise DataError(message) from error

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read one line; keys that this version does not know are ignored.

        Raises:
            DataError: No JSON object, or a key that is missing or holds something else than
                expected; the message names the key.
            RunError: A line of a newer schema than this version knows.
        """
        record = _parse(text)
        schema = _get(record, "schema", int)
        if schema > SCHEMA:
            message = (
                f"the point has schema {schema}, this version reads up to {SCHEMA}: "
                "upgrade robust-tuning"
            )
            raise RunError(message)
        plain = {f.name: _get(record, f.name, f.type) for f in fields(cls) if f.type in (str, int)}
        return cls(
            **plain,
            strategy_args=_get(record, "strategy_args", dict),
            accuracy=_estimate(record, "accuracy"),
            robust_accuracy=_estimates(record, "robust_accuracy"),
            ood_accuracy=_estimates(record, "ood_accuracy"),
            attack=_attack(record),
            cost=_cost(record),
            diagnostics=_get({"diagnostics": {}, **record}, "diagnostics", dict),
            shifts=_shifts({"shifts": {}, **record}),
            calibration=_estimates({"calibration": {}, **record}, "calibration"),
        )


def _parse(text: str | bytes) -> dict[str, Any]:
    try:
        record = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        message = f"not a line of JSON: {error}"
        raise DataError(message) from error
    if not isinstance(record, dict):
        message = f"expected a JSON object, got {type(record).__name__}"
        raise DataError(message)
    return record


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is no measurement"
    raise ValueError(message)


def _get(record: Mapping[str, Any], key: str, kind: type[T], parent: str = "") -> T:
    name = parent + key
    if key not in record:
        message = f"the key {name!r} is missing"
        raise DataError(message)
    value = record[key]
    if kind is float and type(value) is int and abs(value) < 2**53:
        value = float(value)
    # `type`, since True is an int to isinstance
    if type(value) is not kind:
        message = f"the key {name!r} holds {value!r}: expected {kind.__name__}"
        raise DataError(message)
    if isinstance(value, float) and not isfinite(value):
        message = f"the key {name!r} holds {value!r}: expected a finite number"
        raise DataError(message)
    return value


def _estimate(record: Mapping[str, Any], key: str, parent: str = "") -> Estimate:
    entry, name = _get(record, key, dict, parent), f"{parent}{key}"
    n = _get(entry, "n", int, f"{name}.")
    value, low, high = (_get(entry, end, float, f"{name}.") for end in ("value", "low", "high"))
    try:
        return Estimate(value, n, low, high)
    except DataError as error:
        message = f"the key {name!r} holds {error}"
        raise DataError(message) from error


def _estimates(record: Mapping[str, Any], key: str) -> dict[str, Estimate]:
    entries = _get(record, key, dict)
    return {condition: _estimate(entries, condition, f"{key}.") for condition in entries}


def _attack(record: Mapping[str, Any]) -> AttackIdentity | None:
    if "attack" in record and record["attack"] is None:
        return None
    entry = _get(record, "attack", dict)
    return AttackIdentity(
        class_path=_get(entry, "class_path", str, "attack."),
        settings=_get(entry, "settings", dict, "attack."),
        fingerprint=_get(entry, "fingerprint", str, "attack."),
    )


def _shifts(record: Mapping[str, Any]) -> dict[str, ShiftIdentity]:
    entries = _get(record, "shifts", dict)
    shifts = {}
    for name in entries:
        entry, parent = _get(entries, name, dict, "shifts."), f"shifts.{name}."
        keys = _get(entry, "keys", list, parent)
        if not all(isinstance(key, str) for key in keys):
            message = f"the key '{parent}keys' holds {keys!r}: expected names"
            raise DataError(message)
        shifts[name] = ShiftIdentity(
            class_path=_get(entry, "class_path", str, parent),
            settings=_get(entry, "settings", dict, parent),
            fingerprint=_get(entry, "fingerprint", str, parent),
            keys=tuple(keys),
        )
    return shifts


def _cost(record: Mapping[str, Any]) -> Cost:
    entry = _get(record, "cost", dict)
    return Cost(
        seconds=_get(entry, "seconds", float, "cost."),
        forward=_get(entry, "forward", int, "cost."),
        backward=_get(entry, "backward", int, "cost."),
        peak_memory=_get({"peak_memory": 0, **entry}, "peak_memory", int, "cost."),
    )
