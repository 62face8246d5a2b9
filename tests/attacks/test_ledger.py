import numpy as np
import torch

from robust_tuning.attacks.base import AttackState
from robust_tuning.attacks.journal import Verdicts
from robust_tuning.attacks.ledger import NOT_BROKEN, Ledger


def state(broken: list[bool], steps: int, margin: float) -> AttackState:
    n = len(broken)
    no = torch.zeros(n, dtype=torch.bool)
    blank = torch.zeros(n, 3, 2, 2)
    counts = torch.full((n,), steps)
    return AttackState(
        blank, counts, counts, blank, counts, torch.tensor(broken), ~no, torch.full((n,), margin),
        ~no, no,
    )  # fmt: skip


def opened() -> Ledger:
    ledger = Ledger()
    ledger.extend(np.array([True, False]), np.array([1.0, -1.0]))
    ledger.extend(np.array([True, True]), np.array([2.0, 3.0]))
    return ledger


def test_the_misclassified_are_decided_at_once() -> None:
    ledger = opened()
    assert ledger.robust.tolist() == [True, False, True, True]
    assert ledger.decided == 1
    assert set(ledger.broken_in) == {NOT_BROKEN}


def test_stages_add_up_and_the_breaking_one_is_noted() -> None:
    ledger = opened()
    ledger.record(np.array([0, 2, 3]), Verdicts.of(state([False, True, False], 5, 0.5)), 0)
    ledger.record(np.array([3, 0]), Verdicts.of(state([True, False], 7, 0.7)), 1)
    assert ledger.robust.tolist() == [True, False, False, False]
    assert ledger.broken_in.tolist() == [NOT_BROKEN, NOT_BROKEN, 0, 1]
    assert ledger.steps.tolist() == [12, 0, 5, 12]
    assert ledger.margin.tolist() == [0.5, -1.0, 0.5, 0.5]
    assert ledger.attacked.tolist() == [True, False, True, True]
    assert ledger.decided == 3


def test_zero_gradients_count_where_the_stage_failed() -> None:
    ledger = opened()
    ledger.record(np.array([0, 2]), Verdicts.of(state([False, True], 5, 0.5)), 0)
    assert ledger.zero_gradient.tolist() == [True, False, False, False]
    assert not ledger.bad_gradient.any()
