import math

import numpy as np
import pytest

from robust_tuning.attacks.audits import Audit, Stratum


def test_an_audit_without_a_finding_bounds_by_the_rule_of_three() -> None:
    share = 1 - 0.05 ** (1 / 60)  # all 60 pass with probability (1 - p)^60
    assert Stratum(left_alone=1060, sampled=60, broken=0).overstated_at_most() == math.ceil(
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
        bound = Stratum(left, sampled, broken).overstated_at_most()
        held += int(falls[sampled:].sum() <= bound)
    assert held >= 0.93 * 400


def test_without_a_sample_nothing_is_bounded() -> None:
    assert Stratum(left_alone=30, sampled=0, broken=0).overstated_at_most() == 30


def test_where_all_were_looked_at_nothing_is_overstated() -> None:
    assert Stratum(left_alone=30, sampled=30, broken=4).overstated_at_most() == 0
    assert Stratum(left_alone=0, sampled=0, broken=0).overstated_at_most() == 0


def test_where_all_fell_all_may_fall() -> None:
    assert Stratum(left_alone=30, sampled=5, broken=5).overstated_at_most() == 25


def test_more_confidence_is_a_larger_bound() -> None:
    audit = Stratum(left_alone=500, sampled=50, broken=1)
    assert audit.overstated_at_most(0.5) < audit.overstated_at_most(0.95)
    assert audit.overstated_at_most(0.95) < audit.overstated_at_most(0.999)


def test_several_strata_are_bounded_together() -> None:
    one, other = Stratum(1060, 60, 0), Stratum(340, 40, 2)
    both = Audit((one, other))
    assert (both.left_alone, both.sampled, both.broken) == (1400, 100, 2)
    expected = one.overstated_at_most(0.975) + other.overstated_at_most(0.975)
    assert both.overstated_at_most(0.95) == expected
    assert Audit((one,)).overstated_at_most() == one.overstated_at_most()


def test_the_common_bound_holds_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        strata, missed = [], 0
        for left, sampled, truth in ((200, 20, 0.05), (100, 10, 0.2)):
            falls = rng.random(left) < truth
            strata.append(Stratum(left, sampled, int(falls[:sampled].sum())))
            missed += int(falls[sampled:].sum())
        held += missed <= Audit(tuple(strata)).overstated_at_most()
    assert held >= 0.93 * 300
