from pathlib import Path

import numpy as np
import pytest

from robust_tuning.frontier import (
    Estimate,
    ExampleOutcomes,
    ShiftIdentity,
    ShiftOutcomes,
    append_point,
    find_runs,
)
from robust_tuning.frontier.comparison import AreaSettings, Curve, compare
from robust_tuning.frontier.evaluations import read_evaluations
from robust_tuning.frontier.observed import scalars_of_panel
from robust_tuning.frontier.outcomes import outcomes_path
from robust_tuning.frontier.pareto import dominated_area
from robust_tuning.frontier.scalars import OOD_AREA
from robust_tuning.frontier.seeds import seed_draws
from robust_tuning.frontier.statistics import resampling_weights
from tests.frontier.synthetic import make_point

THREAT, N, REPLICATES = "linf-1/255", 80, 40
SHIFTS = {
    "corruptions": ShiftIdentity("Corruptions", {}, "1", ("fog-1", "fog-2")),
    "stored": ShiftIdentity("FolderShift", {}, "2", ("stored",)),
}
KEYS = ("fog-1", "fog-2", "stored")
Rows = list[tuple[np.ndarray, np.ndarray]]


def write(
    folder: Path, *, seed: int = 0, strategy: str = "LoRA", keys: tuple[str, ...] = KEYS
) -> Rows:
    """A run of three points; what is correct of each: clean (n,), and under shift (sets, n)."""
    generator = np.random.default_rng([seed, *strategy.encode()])
    index, rows = np.arange(N), []
    for step, rate in ((0, 0.3), (10, 0.6), (20, 0.8)):
        clean = generator.random(N) < rate
        shifted = clean & (generator.random((3, N)) < 0.9 - rate / 2)
        outcomes = ExampleOutcomes(
            index,
            index % 5,
            clean,
            {THREAT: clean & (index % 2 == 0)},
            shifts={
                key: ShiftOutcomes(index, index % 5, row)
                for key, row in zip(KEYS, shifted, strict=True)
                if key in keys
            },
        )
        outcomes.write(outcomes_path(folder, step))
        point = make_point(
            run=folder.name,
            strategy=strategy,
            seed=seed,
            step=step,
            accuracy=Estimate.of(int(clean.sum()), N),
            robust_accuracy={THREAT: Estimate.of(int(outcomes.robust[THREAT].sum()), N)},
            ood_accuracy={
                key: Estimate.of(int(row.sum()), N) for key, row in zip(KEYS, shifted, strict=True)
            },
            shifts=SHIFTS,
        )
        append_point(folder, point)
        rows.append((clean, shifted))
    return rows


def only_curve(folder: Path, settings: AreaSettings) -> tuple[Curve, dict[str, object]]:
    (comparison,) = compare(find_runs([folder]), settings)
    (panel,) = comparison.panels
    (curve,) = panel.curves
    scalars = scalars_of_panel(panel, settings)[curve.strategy]
    return curve, {scalar.key: scalar.interval for scalar in scalars}


def plain_loop(rows: Rows, kept: np.ndarray | None, settings: AreaSettings) -> np.ndarray:
    areas = []
    for replicate, weight in enumerate(resampling_weights(N, REPLICATES, 0).astype(int)):
        drawn = np.repeat(np.arange(N), weight)
        chosen = [row for place, row in enumerate(rows) if kept is None or kept[replicate, place]]
        clean = [row[0][drawn].mean() for row in chosen]
        shifted = [row[1][:, drawn].mean(axis=1) for row in chosen]
        mean = [((fog_1 + fog_2) / 2 + stored) / 2 for fog_1, fog_2, stored in shifted]
        areas.append(
            dominated_area(
                clean, mean, reference=settings.reference, interpolation=settings.interpolation
            )
        )
    return np.array(areas)


@pytest.mark.parametrize("interpolation", ["staircase", "linear"])
def test_replicates_are_those_of_a_plain_loop(tmp_path: Path, interpolation: str) -> None:
    rows = write(tmp_path / "run")
    settings = AreaSettings((0.1, 0.05), interpolation, replicates=REPLICATES)  # type: ignore[arg-type]  # either of two
    curve, intervals = only_curve(tmp_path, settings)
    assert curve.replicates is not None
    np.testing.assert_allclose(
        curve.replicates.samples[OOD_AREA], plain_loop(rows, None, settings), atol=1e-7
    )
    interval = intervals[OOD_AREA]
    assert isinstance(interval, tuple)
    assert 0 < interval[1] - interval[0] < 0.4


def test_seeds_are_drawn_too(tmp_path: Path) -> None:
    rows = [row for seed in range(3) for row in write(tmp_path / str(seed), seed=seed)]
    settings = AreaSettings(replicates=REPLICATES)
    curve, _ = only_curve(tmp_path, settings)
    kept, _ = seed_draws(read_evaluations(find_runs([tmp_path]))[0], REPLICATES)
    assert kept is not None
    assert curve.replicates is not None
    of_examples, of_both = plain_loop(rows, None, settings), plain_loop(rows, kept, settings)
    moved = of_both - of_both.mean() + of_examples.mean()
    np.testing.assert_allclose(curve.replicates.samples[OOD_AREA], moved, atol=1e-7)


def test_missing_outcomes_of_a_set_leave_the_area_without_interval(tmp_path: Path) -> None:
    write(tmp_path / "run", keys=("fog-1", "stored"))
    curve, intervals = only_curve(tmp_path, AreaSettings(replicates=REPLICATES))
    assert curve.interval is not None
    assert intervals[OOD_AREA] is None
