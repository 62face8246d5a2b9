import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robust_tuning.frontier import (
    AttackIdentity,
    ExampleOutcomes,
    Run,
    append_point,
    find_runs,
    read_points,
)
from robust_tuning.frontier.evaluations import origin, read_evaluations
from robust_tuning.frontier.outcomes import outcomes_path
from tests.frontier.synthetic import make_point, write_run

STEPS = (0, 400)


def test_bits_are_the_outcomes(tmp_path: Path) -> None:
    run = Run(write_run(tmp_path / "a", steps=STEPS, examples=50))
    evaluations, subsets = read_evaluations([run])
    ((examples, (index, label)),) = subsets.items()
    for evaluation, point in zip(evaluations, run.points, strict=True):
        outcomes = run.outcomes(point)
        assert evaluation.examples == examples
        assert evaluation.bits is not None
        clean, *robust = np.unpackbits(evaluation.bits, axis=1, count=50).astype(bool)
        np.testing.assert_array_equal(clean, outcomes.clean_correct)
        np.testing.assert_array_equal(robust, [outcomes.robust[t] for t in point.robust_accuracy])
        np.testing.assert_array_equal((index, label), (outcomes.index, outcomes.label))


def rewritten(folder: Path, **changes: object) -> None:
    for point in read_points(folder):
        path = outcomes_path(folder, point.step)
        replace(ExampleOutcomes.read(path), **changes).write(path)  # type: ignore[arg-type]  # arrays


def test_the_order_of_examples_does_not_matter_but_their_labels_do(tmp_path: Path) -> None:
    names = ("a", "turned", "relabelled")
    for name in names:
        write_run(tmp_path / name, steps=STEPS, examples=50)
    for point in read_points(tmp_path / "turned"):
        path = outcomes_path(tmp_path / "turned", point.step)
        own = ExampleOutcomes.read(path)
        turned = {threat: bits[::-1] for threat, bits in own.robust.items()}
        parts = own.index[::-1], own.label[::-1], own.clean_correct[::-1]
        ExampleOutcomes(*parts, turned).write(path)
    rewritten(tmp_path / "relabelled", label=np.zeros(50, dtype=np.int64))
    evaluations, subsets = read_evaluations([Run(tmp_path / name) for name in names])
    plain, turned_one, relabelled = (evaluations[2 * place] for place in range(3))
    assert plain.examples == turned_one.examples != relabelled.examples
    assert plain.bits is not None
    np.testing.assert_array_equal(plain.bits, turned_one.bits)
    assert len(subsets) == 2


def test_of_repeated_points_the_last_counts(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", steps=STEPS, examples=50)
    first = read_points(run)[1]
    append_point(run, replace(first, time="later"))
    other = replace(first, attack=AttackIdentity("AutoAttack", {}, "another"))
    append_point(run, other)
    with pytest.warns(UserWarning, match="evaluated more than once at step 400; the last one"):
        evaluations, _ = read_evaluations([Run(run)])
    assert [one.point.time for one in evaluations] == [first.time, "later", first.time]
    assert all(one.bits is not None for one in evaluations)


def test_a_copy_of_a_run_counts_once(tmp_path: Path) -> None:
    write_run(tmp_path / "a", steps=STEPS, examples=50)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    write_run(tmp_path / "c", steps=STEPS, examples=50, seed=1)
    with pytest.warns(UserWarning, match=f"{tmp_path / 'b'}: left out, it holds the same points"):
        evaluations, _ = read_evaluations(find_runs([tmp_path]))
    assert {one.run.folder.name for one in evaluations} == {"a", "c"}


def test_missing_outcomes_have_their_reason_and_a_size(tmp_path: Path) -> None:
    append_point(tmp_path / "a", make_point())
    append_point(tmp_path / "a", make_point(step=60, robust_accuracy={}, attack=None))
    ((one,), subsets) = read_evaluations([Run(tmp_path / "a")])
    assert (one.bits, one.examples, subsets) == (None, "n10", {})
    assert "is missing" in one.note


def test_the_origin_of_stored_evaluations_is_the_run() -> None:
    assert origin(Run(Path("runs/a/evaluations/x-test"))) == Path("runs/a")
    assert origin(Run(Path("runs/a"))) == Path("runs/a")
