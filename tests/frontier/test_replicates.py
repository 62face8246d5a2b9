from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from robust_tuning.frontier import ParetoFrontier, find_runs, replicates
from robust_tuning.frontier.evaluations import Evaluation, read_evaluations
from robust_tuning.frontier.pareto import dominated_area
from robust_tuning.frontier.radius import Radii
from robust_tuning.frontier.replicates import Resampling
from robust_tuning.frontier.scalars import AREA, AT_BEST, BEST_ROBUST, BEST_SUM, EXPECTED
from robust_tuning.frontier.seeds import seed_draws
from robust_tuning.frontier.statistics import resampling_weights
from tests.frontier.synthetic import write_run

SMALL, LARGE = "linf-1/255", "linf-4/255"
RADII: Radii = ((SMALL, Fraction(1, 255)), (LARGE, Fraction(4, 255)))
N, REPLICATES = 60, 30


def evaluations(folder: Path, seeds: int, **settings: object) -> list[Evaluation]:
    for seed in range(seeds):
        settings = {"steps": (0, 100, 300, 600), "examples": N, "threats": (SMALL, LARGE)}
        write_run(folder / f"s{seed}", seed=seed, **settings)  # type: ignore[arg-type]  # of `write_run`
    return read_evaluations(find_runs([folder]))[0]


def frontier(points: list[Evaluation]) -> ParetoFrontier:
    return ParetoFrontier.from_points([one.point for one in points], LARGE, reference=(0.1, 0.0))


def plain_loop(points: list[Evaluation], kept: np.ndarray | None) -> dict[str, np.ndarray]:
    weights = resampling_weights(N, REPLICATES, 0).astype(int)
    bits = np.stack([np.unpackbits(one.bits, axis=1, count=N) for one in points])  # type: ignore[arg-type]  # all there
    rows: dict[str, list[float]] = {
        key: [] for key in (AREA, AT_BEST, BEST_ROBUST, BEST_SUM, EXPECTED)
    }
    for replicate, weight in enumerate(weights):
        drawn = np.repeat(np.arange(N), weight)
        accuracy = bits[:, :, drawn].mean(axis=2)
        if kept is not None:
            accuracy = accuracy[kept[replicate]]
        clean, small, large = accuracy.T
        rows[AREA].append(dominated_area(clean, large, reference=(0.1, 0.0)))
        rows[AT_BEST].append(large[clean == clean.max()].max())
        rows[BEST_ROBUST].append(large.max())
        rows[BEST_SUM].append((clean + large).max())
        trapezoid = ((clean + small) / 2 * 1 + (small + large) / 2 * 3) / 4
        rows[EXPECTED].append(trapezoid.max())
    return {key: np.array(values) for key, values in rows.items()}


def test_replicates_of_one_seed_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    points = evaluations(tmp_path, 1)
    found = Resampling.of(points, REPLICATES).under(frontier(points), RADII)
    expected = plain_loop(points, None)
    assert found.samples.keys() == expected.keys()
    for key, values in expected.items():
        np.testing.assert_allclose(found.samples[key], values, atol=1e-7)
    np.testing.assert_array_equal(found.area_of_examples, found.samples[AREA])
    assert (found.examples, found.seeds) == (N, (1, 1))


def test_seeds_are_drawn_too_and_keep_the_mean_of_the_examples(tmp_path: Path) -> None:
    points = evaluations(tmp_path, 3)
    found = Resampling.of(points, REPLICATES).under(frontier(points), RADII)
    of_examples = plain_loop(points, None)
    kept, seeds = seed_draws(points, REPLICATES)
    assert kept is not None
    of_both = plain_loop(points, kept)
    assert found.seeds == seeds == (3, 3)
    np.testing.assert_allclose(found.area_of_examples, of_examples[AREA], atol=1e-7)
    for key, values in of_both.items():
        moved = values - values.mean() + of_examples[key].mean()
        np.testing.assert_allclose(found.samples[key], moved, atol=1e-7)


def test_blocks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = evaluations(tmp_path, 2)
    whole = Resampling.of(points, REPLICATES).under(frontier(points), RADII)
    monkeypatch.setattr(replicates, "_BLOCK", 150)
    parts = Resampling.of(points, REPLICATES).under(frontier(points), RADII)
    for key, values in whole.samples.items():
        np.testing.assert_array_equal(parts.samples[key], values)


def test_a_point_without_the_threat_is_left_out(tmp_path: Path) -> None:
    write_run(tmp_path / "a", steps=(0, 300), examples=N, threats=(SMALL,))
    write_run(tmp_path / "b", steps=(0, 300), examples=N, threats=(SMALL, LARGE), seed=1)
    points = read_evaluations(find_runs([tmp_path]))[0]
    only = [one for one in points if LARGE in one.point.robust_accuracy]
    together = Resampling.of(points, REPLICATES).under(frontier(only), ())
    alone = Resampling.of(only, REPLICATES).under(frontier(only), ())
    np.testing.assert_allclose(together.area_of_examples, alone.area_of_examples)
    assert EXPECTED not in together.samples
