from typing import Any

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from robust_tuning.sweeps.records import read_records


def trial(run: int, attempt: int, state: str = "FAIL", **marks: Any) -> FrozenTrial:
    reached = marks.pop("reached", 0)
    return create_trial(
        state=TrialState[state],
        values=[0.5] if state == "COMPLETE" else None,
        user_attrs={"run": run, "attempt": attempt, **marks},
        system_attrs={"fixed_params": {"lr": 0.1}},
        intermediate_values={step: 0.1 * step for step in range(1, reached + 1)},
    )


@pytest.mark.parametrize(
    ("attempts", "state"),
    [
        ([], "due"),
        ([trial(0, 0, "WAITING")], "waiting"),
        ([trial(0, 0, "RUNNING")], "running"),
        ([trial(0, 0, "COMPLETE")], "done"),
        ([trial(0, 0, "PRUNED")], "stopped"),
        ([trial(0, 0, outcome="failed")], "failed"),
        ([trial(0, 0, outcome="interrupted")] * 1, "due"),
        ([trial(0, n, outcome="interrupted") for n in range(9)], "due"),
        ([trial(0, n, outcome="lost") for n in range(2)], "due"),
        ([trial(0, n, outcome="lost") for n in range(3)], "failed"),
        # It has come further before each death.
        ([trial(0, n, outcome="lost", reached=n + 1) for n in range(9)], "due"),
        ([trial(0, n, outcome="lost", reached=1) for n in range(3)], "failed"),
        ([trial(0, 0, outcome="lost"), trial(0, 1, "RUNNING")], "running"),
    ],
)
def test_the_latest_attempt_decides(attempts: list[FrozenTrial], state: str) -> None:
    [record] = read_records(attempts, 1, retries=2)
    assert record.state == state
    assert record.attempt == len(attempts) - 1


def test_of_two_for_the_same_attempt_the_first_counts() -> None:
    first, second = trial(0, 0, "COMPLETE"), trial(0, 0, "WAITING")
    [record] = read_records([first, second], 1, retries=2)
    assert record.state == "done"
    [record] = read_records([second, first], 1, retries=2)
    assert record.state == "waiting"


def test_what_is_known_of_a_run() -> None:
    known = create_trial(
        state=TrialState.RUNNING,
        params={"wd": 0.2},
        distributions={"wd": FloatDistribution(0, 1)},
        user_attrs={"run": 2, "attempt": 0, "log": "oh"},
        system_attrs={"fixed_params": {"lr": 0.1}},
        intermediate_values={2: 0.4, 1: 0.3},
    )
    other = create_trial(state=TrialState.RUNNING, user_attrs={})  # somebody else's
    records = read_records([other, known], 2, retries=2)
    assert [record.state for record in records] == ["due", "due", "running"]
    assert records[2].params == {"lr": 0.1, "wd": 0.2}
    assert records[2].history == (0.3, 0.4)
    assert records[2].log == "oh"
    assert not records[2].is_over
