from dataclasses import replace

import pytest

from robust_tuning.callbacks.points import (
    completes,
    frontier_steps,
    is_repetition,
    joined,
    sentence,
)
from robust_tuning.frontier import Cost, Estimate, FrontierPoint, ShiftIdentity
from tests.frontier.test_point import PGD, make_point


def attacked(step: int = 0, accuracy: int = 10, robust: int = 5) -> FrontierPoint:
    return make_point(
        step=step,
        accuracy=Estimate.of(accuracy, 20),
        robust_accuracy={"linf-1/255": Estimate.of(robust, 20)},
        ood_accuracy={},
        attack=PGD,
        cost=Cost(1.0, 30, 20, 7),
        diagnostics={"linf-1/255": {"attacked": 10}},
    )


def moved(step: int = 0, accuracy: int = 10, *counts: int) -> FrontierPoint:
    keys = tuple(f"fog-{i}" for i, _ in enumerate(counts, 1))
    return make_point(
        step=step,
        accuracy=Estimate.of(accuracy, 20),
        robust_accuracy={},
        ood_accuracy={k: Estimate.of(c, 20) for k, c in zip(keys, counts, strict=True)},
        attack=None,
        cost=Cost(2.0, 60, 0, 9),
        shifts={"corruptions": ShiftIdentity("a.B", {}, "abc", keys)},
        calibration={"clean": Estimate.of(1, 20)},
        diagnostics={},
    )


def test_two_halves_make_a_whole() -> None:
    one, other = attacked(), moved(0, 11, 4, 6)
    assert completes(other, one)
    assert completes(one, other)
    for whole in (joined(one, other), joined(other, one)):
        assert whole.robust_accuracy == one.robust_accuracy
        assert whole.ood_accuracy == other.ood_accuracy
        assert whole.accuracy == one.accuracy
        assert whole.calibration == other.calibration
        assert whole.cost == Cost(3.0, 90, 20, 9)
        assert whole.diagnostics == one.diagnostics
        assert not completes(other, whole)
        assert not completes(one, whole)


def test_what_is_of_another_state_completes_nothing() -> None:
    assert not completes(moved(1, 10, 4), attacked(0))
    assert not completes(replace(moved(0, 10, 4), split="test"), attacked(0))
    assert not completes(attacked(0), attacked(0))


def test_a_part_that_a_point_holds_already_is_a_repetition() -> None:
    whole = joined(attacked(), moved(0, 11, 4, 6))
    assert is_repetition(attacked(), whole)
    assert is_repetition(moved(0, 11, 4, 6), whole)
    assert not is_repetition(moved(0, 11, 4, 7), whole)
    assert not is_repetition(attacked(robust=6), whole)
    assert not is_repetition(moved(1, 11, 4, 6), whole)


def test_the_frontier_is_that_of_every_threat_and_every_shift() -> None:
    points = [
        joined(attacked(0, 5, 5), moved(0, 5, 1, 1)),
        joined(attacked(1, 10, 3), moved(1, 10, 2, 2)),
        joined(attacked(2, 9, 2), moved(2, 9, 9, 1)),  # best mean under the shift
        joined(attacked(3, 8, 2), moved(3, 8, 1, 1)),
    ]
    assert frontier_steps(points) == {0, 1, 2}
    assert frontier_steps([attacked(0, 5, 5), attacked(1, 4, 4)]) == {0}
    assert frontier_steps([moved(0, 5, 2), moved(1, 6, 3)]) == {1}


def test_means_over_the_sets_of_a_shift() -> None:
    assert moved(0, 10, 4, 6).shift_means == {"corruptions": pytest.approx(0.25)}


def test_a_point_in_words() -> None:
    assert "linf-1/255 0.250" in sentence(attacked())
    assert "corruptions 0.250 (mean of 2)" in sentence(moved(0, 10, 4, 6))
    assert "fog-1 0.200 \\[" in sentence(moved(0, 10, 4))
