import json
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust_tuning.errors import DataError, RunError
from robust_tuning.frontier import (
    AttackIdentity,
    Cost,
    Estimate,
    FrontierPoint,
    ShiftIdentity,
    wilson,
)
from tests.frontier.synthetic import PGD, make_point

KEYS = [
    "schema",
    "run",
    "time",
    "code_version",
    "config_hash",
    "benchmark",
    "backbone",
    "strategy",
    "strategy_args",
    "objective",
    "seed",
    "split",
    "step",
    "epoch",
    "trainable_parameters",
    "total_parameters",
    "accuracy",
    "robust_accuracy",
    "ood_accuracy",
    "attack",
    "cost",
]


def edited(**changes: object) -> str:
    return json.dumps({**json.loads(make_point().to_json()), **changes})


def estimates() -> st.SearchStrategy[Estimate]:
    counts = st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
    return counts.map(lambda pair: Estimate.of(*pair))


# That points of earlier versions may lack.
LATER = ["diagnostics", "shifts", "calibration"]


def test_the_line_has_the_documented_keys() -> None:
    record = json.loads(make_point().to_json())
    assert list(record) == [*KEYS, *LATER]
    assert record["schema"] == 1
    assert list(record["accuracy"]) == ["value", "n", "low", "high"]
    assert list(record["cost"]) == ["seconds", "forward", "backward", "peak_memory"]
    assert list(record["attack"]) == ["class_path", "settings", "fingerprint"]


@given(
    text=st.text(),
    step=st.integers(0, 10**12),
    accuracy=estimates(),
    robust=st.dictionaries(st.text(), estimates(), max_size=3),
    attack=st.sampled_from([PGD, None]),
    seconds=st.floats(0, 1e9),
)
def test_a_line_gives_the_point_back(
    text: str,
    step: int,
    accuracy: Estimate,
    robust: dict[str, Estimate],
    attack: AttackIdentity | None,
    seconds: float,
) -> None:
    point = make_point(
        run=text,
        step=step,
        accuracy=accuracy,
        robust_accuracy=robust if attack else {},
        attack=attack,
        cost=Cost(seconds, 1, 0),
    )
    line = point.to_json()
    assert "\n" not in line
    assert FrontierPoint.from_json(line) == point
    assert FrontierPoint.from_json(line.encode()) == point


def test_unknown_keys_are_ignored() -> None:
    assert FrontierPoint.from_json(edited(colour="red")) == make_point()


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key_is_named(key: str) -> None:
    record = json.loads(make_point().to_json())
    del record[key]
    with pytest.raises(DataError, match=f"key '{key}' is missing"):
        FrontierPoint.from_json(json.dumps(record))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", [True, [1], 1.5])
def test_a_mistyped_key_is_named(key: str, value: object) -> None:
    with pytest.raises(DataError, match=f"key '{key}' holds"):
        FrontierPoint.from_json(edited(**{key: value}))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"accuracy": {"value": 0.5, "n": 2, "low": 0.1}}, "accuracy.high"),
        (
            {"robust_accuracy": {"l2-1": {"value": 2, "n": 2, "low": 0, "high": 3}}},
            "robust_accuracy.l2-1",
        ),
        ({"ood_accuracy": {"fog-1": 0.5}}, "ood_accuracy.fog-1"),
        ({"attack": {"class_path": "PGD", "settings": {}}}, "attack.fingerprint"),
        ({"cost": {"seconds": 1.0, "forward": 1.5, "backward": 0}}, "cost.forward"),
    ],
)
def test_a_wrong_part_is_named(changes: dict[str, object], name: str) -> None:
    with pytest.raises(DataError, match=name):
        FrontierPoint.from_json(edited(**changes))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "1" + 400 * "0"])
def test_a_value_that_is_no_number_is_refused(value: object) -> None:
    line = make_point().to_json().replace('"seconds": 1.5', f'"seconds": {value}')
    with pytest.raises(DataError):
        FrontierPoint.from_json(line)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", b"\xff\xfe", b"\x00" * 8])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="JSON"):
        FrontierPoint.from_json(text)


def test_a_newer_schema_says_what_to_do() -> None:
    with pytest.raises(RunError, match=r"schema 2.*upgrade robust-tuning"):
        FrontierPoint.from_json(edited(schema=2))


@pytest.mark.parametrize("value", [float("nan"), np.int64(3), {1, 2}])
def test_a_value_that_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(DataError, match="step 50 cannot be stored"):
        make_point(strategy_args={"rank": value}).to_json()


def test_robust_accuracy_needs_its_attack() -> None:
    with pytest.raises(DataError, match="AttackIdentity"):
        make_point(attack=None)


def test_an_estimate_carries_its_interval() -> None:
    estimate = Estimate.of(81, 263)
    assert (estimate.low, estimate.high) == wilson(81, 263)
    assert (estimate.value, estimate.n, estimate.successes) == (81 / 263, 263, 81)
    with pytest.raises(DataError, match="no examples"):
        Estimate.of(0, 0)


@pytest.mark.parametrize(
    "bad", [(0.5, 0, 0.0, 1.0), (0.5, 5, 0.6, 0.7), (1.1, 5, 0.6, 1.2), (float("nan"), 5, 0.0, 1.0)]
)
def test_an_estimate_that_cannot_be_is_refused(bad: tuple[float, int, float, float]) -> None:
    with pytest.raises(DataError, match="expected"):
        Estimate(*bad)


@given(estimates())
def test_the_count_survives(estimate: Estimate) -> None:
    assert Estimate.of(estimate.successes, estimate.n) == estimate


def test_every_field_is_stored() -> None:
    assert [field.name for field in fields(FrontierPoint)] == [
        *KEYS[1:],
        "diagnostics",
        "shifts",
        "calibration",
    ]


def test_the_peak_memory_is_stored_and_may_be_absent() -> None:
    line = make_point(cost=Cost(1.5, 3, 2, 2**30)).to_json()
    assert FrontierPoint.from_json(line).cost.peak_memory == 2**30
    record = json.loads(line)
    del record["cost"]["peak_memory"]
    assert FrontierPoint.from_json(json.dumps(record)).cost == Cost(1.5, 3, 2)


def test_shifts_and_calibration_are_stored_and_may_be_absent() -> None:
    shift = ShiftIdentity("a.Shift", {"table": "cifar"}, "abc", ("fog-1", "fog-2"))
    calibration = {"clean": Estimate(0.1, 20, 0.05, 0.2)}
    point = make_point(shifts={"corruptions": shift}, calibration=calibration)
    line = point.to_json()
    assert FrontierPoint.from_json(line) == point
    record = json.loads(line)
    record["shifts"]["corruptions"]["keys"] = [1]
    with pytest.raises(DataError, match=r"shifts\.corruptions\.keys"):
        FrontierPoint.from_json(json.dumps(record))
    del record["shifts"], record["calibration"]
    old = FrontierPoint.from_json(json.dumps(record))
    assert (old.shifts, old.calibration) == ({}, {})


def test_diagnostics_are_stored_and_may_be_absent() -> None:
    counts = {"linf-4/255": {"attacked": 180, "zero_gradients": 3}}
    line = make_point(diagnostics=counts).to_json()
    assert FrontierPoint.from_json(line).diagnostics == counts
    record = json.loads(line)
    del record["diagnostics"]
    assert FrontierPoint.from_json(json.dumps(record)).diagnostics == {}
    with pytest.raises(DataError, match="the key 'diagnostics' holds"):
        FrontierPoint.from_json(edited(diagnostics=[1]))
