from pathlib import Path

import numpy as np
import pytest

from robust_tuning.frontier import Run
from robust_tuning.frontier.outcomes import ExampleOutcomes, outcomes_path
from robust_tuning.frontier.shift_outcomes import OutcomeReader
from robust_tuning.frontier.statistics import resampling_weights
from tests.frontier.synthetic_shifts import write_shifted_run

KEYS = ("fog-1", "fog-2", "domain-sketch")


def write(folder: Path, **settings: object) -> Run:
    return Run(
        write_shifted_run(  # type: ignore[arg-type]  # named by the tests
            folder,
            examples=50,
            steps=(0, 100, 200),
            severities=(1, 2),
            corruptions={"fog": 0.5},
            domains={"sketch": 1.0},
            **settings,
        )
    )


def read(*runs: Run) -> OutcomeReader:
    reader = OutcomeReader()
    for run in runs:
        for point in run.points:
            reader.read(run, point)
    return reader


def test_corruptions_are_paired_with_the_clean_images_and_domains_are_not(tmp_path: Path) -> None:
    run = write(tmp_path / "run")
    reader = read(run)
    assert reader.same_images(run.points, KEYS[:2]) is True
    assert reader.same_images(run.points, KEYS) is False
    weights = resampling_weights(50, 30, 0)
    for place, shifted, clean in reader.draw(run.points, KEYS, 30):
        outcomes = run.outcomes(run.points[place])
        np.testing.assert_allclose(clean, weights @ outcomes.clean_correct / 50)
        for column, key in enumerate(KEYS[:2]):
            np.testing.assert_allclose(
                shifted[:, column], weights @ outcomes.shifts[key].correct / 50
            )
        other = weights @ outcomes.shifts["domain-sketch"].correct / 50
        assert not np.allclose(shifted[:, 2], other) or place == 0
        assert shifted.shape == (30, 3)


def test_draws_are_paired_between_calls_and_runs(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b")  # the same outcomes
    reader = read(first, second)
    ((_, shifted, clean),) = reader.draw(first.points[1:2], KEYS, 20)
    ((_, again, clean_again),) = reader.draw(second.points[1:2], KEYS, 20)
    assert (shifted == again).all()
    assert (clean == clean_again).all()


def test_a_point_without_outcomes_is_named_and_the_others_are_drawn(tmp_path: Path) -> None:
    run = write(tmp_path / "run")
    outcomes_path(run.folder, 100).unlink()
    reader = read(run)
    (why,) = reader.missing(run.points)
    assert "step-00000100.npz is missing" in why
    assert [place for place, _, _ in reader.draw(run.points, KEYS, 5)] == [0, 2]
    assert reader.same_images([run.points[1]], KEYS) is None


@pytest.mark.parametrize("damage", ["missing", "other"])
def test_outcomes_of_other_sets_are_refused(tmp_path: Path, damage: str) -> None:
    run = write(tmp_path / "run")
    path = outcomes_path(run.folder, 200)
    found = ExampleOutcomes.read(path)
    shifts = dict(found.shifts)
    if damage == "missing":
        del shifts["fog-2"]
    else:
        shifts["fog-2"].correct[:] = ~shifts["fog-2"].correct
    ExampleOutcomes(found.index, found.label, found.clean_correct, {}, shifts).write(path)
    (why,) = read(run).missing(run.points)
    assert "step 200: the outcomes of 'fog-2' are missing or of another evaluation" in why
