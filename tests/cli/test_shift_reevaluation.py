from collections.abc import Callable
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # has no annotations

from robust_tuning.cli.main import main
from robust_tuning.frontier import Run, read_points
from tests.cli.conftest import results


@pytest.fixture
def shifts(tmp_path: Path) -> str:
    """A file with two views."""
    path = tmp_path / "shifts.yaml"
    spec = {
        "class_path": "Corruptions",
        "init_args": {"corruptions": ["fog"], "severities": [1, 5]},
    }
    path.write_text(yaml.safe_dump({"ood": {"shifts": [spec]}}))
    return str(path)


def test_stored_points_are_measured_on_shifted_images(
    run: Path, evaluated: Callable[..., Path], shifts: str
) -> None:
    folder = evaluated("--shifts", shifts)
    before, after = Run(run), Run(folder)
    assert [point.step for point in after.points] == [0, 1, 2]
    assert folder.name.endswith("-validation-24-corruptions")
    for old, new in zip(before.points, after.points, strict=True):
        assert list(new.ood_accuracy) == ["fog-1", "fog-5"]
        assert new.accuracy == old.accuracy
        assert (new.attack, new.robust_accuracy) == (None, {})
        outcomes = after.outcomes(new)
        assert outcomes.shifts["fog-1"].index.tolist() == outcomes.index.tolist()
    assert read_points(run) == list(before.points)


def test_what_was_measured_is_not_measured_again(
    run: Path, evaluated: Callable[..., Path], shifts: str
) -> None:
    words = ("--shifts", shifts, "--n", "6")
    folder = evaluated(*words)
    file = folder / "frontier.jsonl"
    whole = file.read_bytes()
    first, *_ = whole.splitlines(keepends=True)
    file.write_bytes(first)  # as a kill leaves it
    assert main(["evaluate", str(run), "--device", "cpu", *words, "--cache", "ram"]) == 0
    assert [point.step for point in read_points(folder)] == [0, 1, 2]
    assert file.read_bytes().startswith(first)
    done = file.read_bytes()
    assert main(["evaluate", str(run), "--device", "cpu", *words]) == 0
    assert file.read_bytes() == done


def test_shifted_images_can_be_attacked(evaluated: Callable[..., Path], shifts: str) -> None:
    words = ("--shifts", shifts, "--attack", "attacks/pgd.yaml", "--eps", "3/255", "--n", "5")
    last = read_points(evaluated(*words))[-1]
    assert list(last.ood_accuracy) == ["fog-1", "fog-5", "fog-1/linf-3/255", "fog-5/linf-3/255"]
    assert last.ood_accuracy["fog-1/linf-3/255"].value <= last.ood_accuracy["fog-1"].value
    assert last.cost.backward > 0


def test_a_dry_run_says_what_it_would_cost(
    run: Path, shifts: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = results(run)
    words = ("--shifts", shifts, "--n", "9", "--dry_run")
    assert main(["evaluate", str(run), "--device", "cpu", *words]) == 0
    said = capsys.readouterr().out
    assert "3 points to evaluate on 2 shifted sets: 27 images to classify, 18 of them" in said
    assert results(run) == before


def test_a_file_without_shifts_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(content: object) -> str:
        path = tmp_path / "odd.yaml"
        path.write_text(yaml.safe_dump(content))
        assert main(["evaluate", str(run), "--device", "cpu", "--shifts", str(path)]) == 2
        return capsys.readouterr().err

    assert "has no section 'ood'" in failing({"adversarial": {}})
    assert "names no shifts" in failing({"ood": {"shifts": []}})
    assert "which is no shift" in failing({"ood": {"shifts": ["robust_tuning.attacks.PGD"]}})
    assert "cannot be built again" in failing({"ood": {"shifts": ["Rain"]}})
    assert "has no domains besides" in failing({"ood": {"shifts": ["Domains"]}})
