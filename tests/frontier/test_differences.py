from itertools import combinations
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from robust_tuning.frontier.differences import all_differences, groups_of, more_examples, rounded_up

NAMES = ["A", "B", "C", "D"]


def test_one_pair_has_the_plain_interval_of_a_normal_difference() -> None:
    samples = np.random.default_rng(0).normal(0.5, 0.02, (2, 200_000))
    found = all_differences(["A", "B"], np.array([0.52, 0.48]), samples, 0.95)
    (one,) = found.differences
    half = norm.ppf(0.975) * 0.02 * 2**0.5
    # The replicates are unbiased around 0, not 0.04: as a bias, that is taken off twice over.
    assert one.interval == pytest.approx((0.08 - half, 0.08 + half), abs=5e-4)
    assert found.critical == pytest.approx(norm.ppf(0.975), abs=0.01)


def test_seven_alike_are_corrected_for_twenty_one_comparisons() -> None:
    # The studentised range of seven independent normal means has 4.17 as its 95 % quantile.
    samples = np.random.default_rng(0).normal(0, 1, (7, 50_000))
    found = all_differences("ABCDEFG", np.zeros(7), samples, 0.95)
    assert len(found.differences) == 21
    assert found.critical == pytest.approx(4.17 / 2**0.5, abs=0.03)
    assert found.critical < norm.ppf(1 - 0.025 / 21), "less than Bonferroni's"
    assert not any(one.called for one in found.differences)


def test_pairing_is_used() -> None:
    generator = np.random.default_rng(0)
    common = generator.normal(0, 0.1, 2000)
    samples = np.stack([0.50 + common, 0.49 + common + generator.normal(0, 0.001, 2000)])
    (one,) = all_differences(["A", "B"], np.array([0.50, 0.49]), samples, 0.95).differences
    assert one.called
    assert one.interval == pytest.approx((0.008, 0.012), abs=2e-4)


def test_bias_is_taken_off_and_the_value_is_never_outside() -> None:
    samples = np.stack([np.random.default_rng(0).normal(0.9, 0.01, 5000), np.full(5000, 0.4)])
    (one,) = all_differences(["A", "B"], np.array([0.5, 0.4]), samples, 0.95).differences
    assert one.interval == pytest.approx((-0.3 - 0.0196, 0.1), abs=1e-3)
    assert not one.called


def test_equal_replicates_and_equal_areas_are_not_called() -> None:
    samples = np.tile(np.random.default_rng(0).normal(0.1, 0.01, 500), (2, 1))
    (one,) = all_differences(["A", "B"], np.array([0.3, 0.3]), samples, 0.95).differences
    assert (one.value, one.interval, one.called) == (0.0, (0.0, 0.0), False)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_have_no_differences(count: int) -> None:
    found = all_differences(NAMES[:count], np.zeros(count), np.zeros((count, 9)), 0.9)
    assert found.differences == ()


@given(st.sets(st.sampled_from(list(combinations("ABCDEF", 2)))))
def test_groups_are_the_maximal_sets_without_a_called_pair(called: set[tuple[str, str]]) -> None:
    def alike(names: tuple[str, ...]) -> bool:
        return not any(pair in called for pair in combinations(names, 2))

    subsets = [set(s) for n in range(1, 7) for s in combinations("ABCDEF", n) if alike(s)]
    maximal = [s for s in subsets if not any(s < other for other in subsets)]
    found = groups_of("ABCDEF", called)
    assert sorted(map(sorted, maximal)) == sorted(map(list, found))
    assert found == sorted(found)


def test_more_examples_reach_the_standard_error_asked_for() -> None:
    samples = np.random.default_rng(0).normal(0.01, 0.02, 100_000)
    samples += 0.01 - samples.mean()
    more = more_examples(0.01, samples, samples, 1000, 1.96)
    error = 0.02 * (1000 / (1000 + more)) ** 0.5
    power = norm.sf(1.96 - 0.01 / error)
    assert power == pytest.approx(0.8, abs=0.005)


def test_more_examples_do_not_help_against_seeds_or_equality() -> None:
    generator = np.random.default_rng(0)
    images, seeds = generator.normal(0, 0.002, 5000), generator.normal(0, 0.02, 5000)
    assert more_examples(0.01, images + seeds, images, 1000, 1.96) == inf
    assert more_examples(0.0, images, images, 1000, 1.96) == inf
    assert more_examples(0.5, images, images, 1000, 1.96) == 0
    assert rounded_up(inf) == "no number of"
