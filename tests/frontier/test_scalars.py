from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust_tuning.frontier.pareto import dominated_area
from robust_tuning.frontier.scalars import (
    AREA,
    AT_BEST,
    BEST_ROBUST,
    BEST_SUM,
    eps_weights,
    expected_robustness,
    of_sorted,
)

POINTS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12)


@given(POINTS, st.sampled_from(["staircase", "linear"]), st.sampled_from(["none", "best"]))
def test_scalars_are_those_of_a_plain_search(
    points: list[tuple[int, int]], interpolation: str, normalise: str
) -> None:
    pairs = sorted((accuracy / 20, robust / 20) for accuracy, robust in points)
    accuracy, robust = np.array(pairs).T
    reference = (0.2, 0.1)
    found = of_sorted(accuracy, robust, reference, interpolation, normalise)  # type: ignore[arg-type]  # literals
    area = dominated_area(accuracy, robust, reference=reference, interpolation=interpolation)  # type: ignore[arg-type]  # a literal
    assert found[AREA] == pytest.approx(area / (0.72 if normalise == "best" else 1))
    best = max(x for x, _ in pairs)
    assert found[AT_BEST] == max(y for x, y in pairs if x == best)
    assert found[BEST_ROBUST] == max(y for _, y in pairs)
    assert found[BEST_SUM] == max(x + y for x, y in pairs)


@given(st.sets(st.integers(1, 30), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_expected_robustness_is_the_trapezoidal_rule(eps: set[int], random: object) -> None:
    radii = [Fraction(one, 255) for one in sorted(eps)]
    rows = np.array([[random.random() for _ in range(4)] for _ in range(len(radii) + 1)])  # type: ignore[attr-defined]
    x = np.array([0.0, *map(float, radii)])
    reference = max(np.trapezoid(rows[:, column], x) / x[-1] for column in range(4))
    weights = eps_weights(radii)
    assert weights.sum() == pytest.approx(1)
    assert expected_robustness(list(rows), weights) == pytest.approx(reference)


def test_one_radius_gives_the_mean_of_clean_and_robust() -> None:
    assert eps_weights([Fraction(8, 255)]).tolist() == [0.5, 0.5]
