import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # has no annotations

from robust_tuning.cli.main import main
from robust_tuning.frontier import Run, find_runs, read_points
from robust_tuning.trajectory import trajectory_path
from tests.cli.conftest import results

Evaluate = Callable[..., int]


def test_the_same_attack_finds_the_same_to_the_example(
    run: Path, evaluated: Callable[..., Path]
) -> None:
    again = Run(evaluated("--attack", "configs/attacks/pgd.yaml"))
    before = Run(run)
    assert [point.step for point in again.points] == [0, 1, 2]
    for old, new in zip(before.points, again.points, strict=True):
        assert new.accuracy == old.accuracy
        assert new.robust_accuracy == old.robust_accuracy
        assert new.attack == old.attack
        one, other = before.outcomes(old), again.outcomes(new)
        assert one.index.tolist() == other.index.tolist()
        assert all((one.robust[key] == other.robust[key]).all() for key in one.robust)
    assert read_points(run) == list(before.points)


def test_another_attack_split_and_number_have_a_place_of_their_own(
    evaluated: Callable[..., Path],
) -> None:
    words = ("--attack", "attacks/apgd.yaml", "--eps", "4/255", "--split", "test", "--n", "10")
    points = read_points(evaluated(*words))
    assert {point.split for point in points} == {"test"}
    assert {point.accuracy.n for point in points} == {10}
    assert [list(point.robust_accuracy) for point in points] == [["linf-4/255"]] * 3
    assert all(p.attack is not None and p.attack.class_path.endswith(".APGD") for p in points)


def test_what_was_evaluated_is_not_evaluated_again(
    run: Path, evaluated: Callable[..., Path]
) -> None:
    words = ("--eps", "1/255", "--n", "6")
    folder = evaluated(*words)
    file = folder / "frontier.jsonl"
    whole = file.read_bytes()
    file.write_bytes(b"".join(whole.splitlines(keepends=True)[:1]))  # as a kill leaves it
    assert main(["evaluate", str(run), "--device", "cpu", *words]) == 0
    first, *rest = read_points(folder)
    assert [first.step, *(point.step for point in rest)] == [0, 1, 2]
    assert file.read_bytes().startswith(whole.splitlines(keepends=True)[0])
    done = file.read_bytes()
    assert main(["evaluate", str(run), "--device", "cpu", *words]) == 0
    assert file.read_bytes() == done


def test_a_dry_run_says_what_it_would_cost_and_does_nothing(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = results(run)
    words = ("--attack", "attacks/autoattack.yaml", "--eps", "7/255", "--dry_run")
    assert main(["evaluate", str(run), "--device", "cpu", *words]) == 0
    said = capsys.readouterr().out
    assert "3 points to evaluate under linf-7/255; about" in said
    assert results(run) == before
    passes = int(re.search(r"about ([0-9,]+) forward", said)[1].replace(",", ""))  # type: ignore[index]  # is there
    correct = sum(point.accuracy.successes for point in read_points(run))
    # One clean pass each, and the full budget for all that are right: nothing is known at 7/255.
    assert passes == pytest.approx(3 * 24 + correct * (101 + 9 * 101 + 9 * 200 + 5001), rel=0.01)


def test_some_points_can_be_chosen(
    run: Path, evaluated: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = evaluated("--eps", "9/255", "--n", "4", "--steps", "2")
    assert [point.step for point in read_points(folder)] == [2]
    said = failing(capsys, str(run), "--steps", "1", "7")
    assert "keeps no weights of step 7; it keeps those of 0, 1, 2" in said


def test_results_are_runs_that_can_be_compared(run: Path, evaluated: Callable[..., Path]) -> None:
    folder = evaluated("--eps", "8/255", "--n", "5")
    assert folder.resolve() in {found.folder.resolve() for found in find_runs([run])}
    assert main(["frontier", str(folder)]) == 0


def test_results_are_not_evaluated_themselves(run: Path, evaluated: Callable[..., Path]) -> None:
    evaluated("--eps", "3/255", "--n", "5")
    assert not any((folder / "evaluations").exists() for folder in results(run))


def failing(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["evaluate", *words]) in (1, 2)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def test_a_run_without_weights_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("frontier.jsonl", "config.yaml"):
        (bare / name).write_bytes((run / name).read_bytes())
    assert "keeps no weights of its 3 points" in failing(capsys, str(bare))
    path = trajectory_path(bare, 0)
    path.parent.mkdir()
    path.write_bytes(trajectory_path(run, 0).read_bytes())
    (bare / "config.yaml").unlink()
    assert "says what the run was trained on" in failing(capsys, str(bare))
    (bare / "config.yaml").write_text("model: 3")
    assert "does not say which benchmark" in failing(capsys, str(bare))


def test_what_is_no_run_or_no_attack_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no run in this folder" in failing(capsys, str(tmp_path))
    assert "no such file here" in failing(capsys, str(run), "--attack", "nothing.yaml")
    file = tmp_path / "odd.yaml"
    file.write_text(yaml.safe_dump({"adversarial": {"attack": "robust_tuning.strategies.LoRA"}}))
    assert "is no attack" in failing(capsys, str(run), "--attack", str(file))
    assert "choose n from 1 to" in failing(capsys, str(run), "--n", "0")
    assert "did you mean 4/255" in failing(capsys, str(run), "--eps", "4")
