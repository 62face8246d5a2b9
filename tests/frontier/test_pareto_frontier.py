from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.frontier import (
    AttackIdentity,
    Estimate,
    ExampleOutcomes,
    FrontierPoint,
    ParetoFrontier,
    dominated_area,
    pareto_mask,
)
from robust_tuning.frontier.pareto import Interpolation
from robust_tuning.frontier.statistics import basic_interval, resampling_weights
from tests.frontier.synthetic import make_point

THREAT = "linf-1/255"
Booleans = NDArray[np.bool_]


def make_frontier(
    clean: Booleans, robust: Booleans, **settings: object
) -> tuple[ParetoFrontier, list[ExampleOutcomes]]:
    """A frontier and its outcomes from (points, examples) arrays."""
    index = np.arange(clean.shape[1])
    outcomes = [
        ExampleOutcomes(index, index, c, {THREAT: r}) for c, r in zip(clean, robust, strict=True)
    ]
    points = [
        make_point(
            step=step,
            accuracy=Estimate.of(int(c.sum()), len(c)),
            robust_accuracy={THREAT: Estimate.of(int(r.sum()), len(r))},
        )
        for step, (c, r) in enumerate(zip(clean, robust, strict=True))
    ]
    return ParetoFrontier.from_points(points, THREAT, **settings), outcomes  # type: ignore[arg-type]  # named by the tests


def draw(points: int, examples: int, seed: int = 0) -> tuple[Booleans, Booleans]:
    generator = np.random.default_rng(seed)
    clean = generator.random((points, examples)) < np.linspace(0.3, 0.9, points)[:, None]
    robust = generator.random((points, examples)) < np.linspace(0.6, 0.1, points)[:, None]
    return clean, clean & robust


def at(accuracy: float, robust: float, **changes: object) -> FrontierPoint:
    estimates = {THREAT: Estimate.of(round(100 * robust), 100)}
    return make_point(
        accuracy=Estimate.of(round(100 * accuracy), 100), robust_accuracy=estimates, **changes
    )


def test_members_and_area_are_those_of_the_plain_functions() -> None:
    frontier, _ = make_frontier(*draw(12, 200), interpolation="linear", reference=(0.1, 0.05))
    x = [point.accuracy.value for point in frontier.points]
    y = [point.robust_accuracy[THREAT].value for point in frontier.points]
    assert {point.step for point in frontier.members} == set(np.flatnonzero(pareto_mask(x, y)))
    assert [p.accuracy.value for p in frontier.members] == sorted(
        p.accuracy.value for p in frontier.members
    )
    expected = dominated_area(x, y, reference=(0.1, 0.05), interpolation="linear")
    assert frontier.area == expected
    assert "0.1" in frontier.definition


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"benchmark": "cub200"}, "benchmark: caltech256 (run a, b) and cub200 (run odd)"),
        ({"backbone": "resnet50"}, "backbone: vit"),
        ({"split": "test"}, "split: validation (run a, b) and test (run odd)"),
        (
            {"attack": AttackIdentity("PGD", {}, "other")},
            "attack fingerprint: 5f3a9c01d2 (run a, b)",
        ),
    ],
)
def test_points_under_other_conditions_are_refused_by_name(
    changes: dict[str, object], name: str
) -> None:
    points = [at(0.5, 0.1, run="a"), at(0.6, 0.1, run="b"), at(0.5, 0.2, run="odd", **changes)]
    with pytest.raises(ConfigurationError) as caught:
        ParetoFrontier.from_points(points, THREAT)
    assert name in str(caught.value)
    assert str(caught.value).count(":") == 1, "names only what differs"


def test_seeds_and_strategies_may_differ() -> None:
    points = [at(0.5, 0.1, seed=1), at(0.6, 0.1, seed=2, strategy="BitFit", config_hash="x")]
    assert len(ParetoFrontier.from_points(points, THREAT).members) == 1


def test_a_missing_threat_and_no_points_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"step 50: no threat 'l2-1', it has linf-1/255"):
        ParetoFrontier.from_points([at(0.5, 0.1)], "l2-1")
    with pytest.raises(ConfigurationError, match="at least one"):
        ParetoFrontier.from_points([], THREAT)


def test_domination_is_strict_and_may_fail_both_ways() -> None:
    high = ParetoFrontier.from_points([at(0.9, 0.2), at(0.6, 0.4)], THREAT)
    low = ParetoFrontier.from_points([at(0.9, 0.2), at(0.5, 0.3)], THREAT)
    crossing = ParetoFrontier.from_points([at(0.95, 0.1)], THREAT)
    assert high.dominates(low)
    assert not low.dominates(high)
    assert not high.dominates(high)
    assert not high.dominates(crossing)
    assert not crossing.dominates(high)
    other = ParetoFrontier.from_points([at(0.1, 0.1, benchmark="cub200")], THREAT)
    with pytest.raises(ConfigurationError, match="benchmark"):
        high.dominates(other)


@settings(max_examples=40, deadline=None)
@given(
    points=st.integers(1, 6),
    examples=st.integers(1, 40),
    seed=st.integers(0, 100),
    interpolation=st.sampled_from(["staircase", "linear"]),
    reference=st.sampled_from([(0.0, 0.0), (0.2, 0.1)]),
)
def test_the_interval_is_that_of_a_plain_loop(
    points: int,
    examples: int,
    seed: int,
    interpolation: Interpolation,
    reference: tuple[float, float],
) -> None:
    clean, robust = draw(points, examples, seed)
    frontier, outcomes = make_frontier(
        clean, robust, interpolation=interpolation, reference=reference
    )
    areas = []
    for weights in resampling_weights(examples, 30, seed):
        drawn = np.repeat(np.arange(examples), weights.astype(int))
        areas.append(
            dominated_area(
                clean[:, drawn].mean(axis=1),
                robust[:, drawn].mean(axis=1),
                interpolation=interpolation,
                reference=reference,
            )
        )
    low, high = basic_interval(frontier.area, np.array(areas), 0.8)
    interval = frontier.bootstrap(outcomes, replicates=30, seed=seed, confidence=0.8)
    assert interval == pytest.approx((max(low, 0), min(high, 1)), abs=1e-9)


def test_replicates_in_blocks_are_the_same_replicates(monkeypatch: pytest.MonkeyPatch) -> None:
    frontier, outcomes = make_frontier(*draw(5, 60))
    whole = frontier.bootstrap(outcomes, replicates=101)
    monkeypatch.setattr("robust_tuning.frontier.pareto_frontier._BLOCK", 50)
    assert frontier.bootstrap(outcomes, replicates=101) == whole


def share_covered(truth: float, samples: Sequence[tuple[Booleans, Booleans]]) -> float:
    hits = 0
    for clean, robust in samples:
        frontier, outcomes = make_frontier(clean, robust)
        low, high = frontier.bootstrap(outcomes, replicates=200)
        hits += low <= truth <= high
    return hits / len(samples)


def test_the_interval_of_one_point_covers_its_true_area() -> None:
    generator = np.random.default_rng(0)
    clean = [generator.random((1, 400)) < 0.8 for _ in range(200)]
    samples = [(c, c & (generator.random((1, 400)) < 0.5)) for c in clean]
    # 95 % of 200, within four standard errors.
    assert share_covered(0.8 * 0.4, samples) > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 200)


def test_the_interval_of_pooled_runs_covers_despite_the_selection() -> None:
    # Ten steps of ten equally good runs, on examples that are hard for all of them alike.
    generator = np.random.default_rng(0)
    progress = np.tile(np.linspace(0, 1, 10), 10)
    accuracy = 0.1 + 0.8 * (1 - np.exp(-4 * progress))
    robustness = 0.4 * accuracy * (1.2 - progress)
    samples = []
    for _ in range(100):
        shared, own = generator.standard_normal((1, 400)), generator.standard_normal((100, 400))
        ease = np.sqrt(0.7) * shared + np.sqrt(0.3) * own
        limits = [np.vectorize(NormalDist().inv_cdf)(p)[:, None] for p in (accuracy, robustness)]
        samples.append((ease < limits[0], ease < limits[1]))
    # The percentile interval, which adds the bias instead of taking it off, covers about a third.
    assert share_covered(dominated_area(accuracy, robustness), samples) > 0.8


def test_no_robustness_has_the_interval_of_nothing() -> None:
    clean, robust = draw(4, 50)
    frontier, outcomes = make_frontier(clean, robust & False)
    assert frontier.area == 0
    assert frontier.bootstrap(outcomes, replicates=50) == (0, 0)


def test_outcomes_that_cannot_be_paired_are_refused_with_the_reason() -> None:
    frontier, outcomes = make_frontier(*draw(3, 20))
    last = outcomes[-1]
    moved = ExampleOutcomes(last.index + 1, last.label, last.clean_correct, last.robust)
    fewer = ExampleOutcomes(
        np.arange(5), np.arange(5), np.ones(5, bool), {THREAT: np.ones(5, bool)}
    )
    for odd in (moved, fewer):
        with pytest.raises(DataError, match=r"\(step 2\) were not evaluated on the same examples"):
            frontier.bootstrap([*outcomes[:-1], odd])
    with pytest.raises(DataError, match="outcomes of 2 evaluations for 3 points"):
        frontier.bootstrap(outcomes[:-1])
    nothing = ExampleOutcomes(last.index, last.label, last.clean_correct)
    with pytest.raises(DataError, match=f"step 2: no '{THREAT}'"):
        frontier.bootstrap([*outcomes[:-1], nothing])
