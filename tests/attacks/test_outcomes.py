import math

import numpy as np
import pytest

from robust_tuning.attacks import Audit


def test_an_audit_without_a_finding_bounds_by_the_rule_of_three() -> None:
    share = 1 - 0.05 ** (1 / 60)  # all 60 pass with probability (1 - p)^60
    assert Audit(left_alone=1060, sampled=60, broken=0).overstated_at_most() == math.ceil(
        share * 1000
    )


@pytest.mark.parametrize("truth", [0.02, 0.1, 0.3])
def test_the_bound_holds_as_often_as_it_says(truth: float) -> None:
    rng = np.random.default_rng(0)
    left, sampled = 500, 40
    held = 0
    for _ in range(400):
        falls = rng.random(left) < truth
        broken = int(falls[:sampled].sum())
        bound = Audit(left, sampled, broken).overstated_at_most()
        held += int(falls[sampled:].sum() <= bound)
    assert held >= 0.93 * 400


def test_without_a_sample_nothing_is_bounded() -> None:
    assert Audit(left_alone=30, sampled=0, broken=0).overstated_at_most() == 30


def test_where_all_were_looked_at_nothing_is_overstated() -> None:
    assert Audit(left_alone=30, sampled=30, broken=4).overstated_at_most() == 0
    assert Audit(left_alone=0, sampled=0, broken=0).overstated_at_most() == 0


def test_where_all_fell_all_may_fall() -> None:
    assert Audit(left_alone=30, sampled=5, broken=5).overstated_at_most() == 25


def test_more_confidence_is_a_larger_bound() -> None:
    audit = Audit(left_alone=500, sampled=50, broken=1)
    assert audit.overstated_at_most(0.5) < audit.overstated_at_most(0.95)
    assert audit.overstated_at_most(0.95) < audit.overstated_at_most(0.999)
