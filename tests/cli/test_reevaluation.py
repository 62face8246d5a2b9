from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robust_tuning.attacks import PGD, Speed
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.cli.main import main
from robust_tuning.cli.reevaluation import Plan, Reevaluation, _radii
from robust_tuning.frontier import Run, read_points
from tests.cli.conftest import results


def test_an_interrupted_point_goes_on_where_it_was(
    run: Path, evaluated: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--attack", "attacks/apgd.yaml", "--eps", "5/255", "--n", "24", "--batch_size", "4")
    original = Oracle.gradient
    asked = []

    def interrupted(self: Oracle, *arguments: Any, **more: Any) -> Any:
        asked.append(True)
        if len(asked) == 40:
            raise KeyboardInterrupt
        return original(self, *arguments, **more)

    before = results(run)
    with monkeypatch.context() as patch:
        patch.setattr(Oracle, "gradient", interrupted)
        assert main(["evaluate", str(run), "--device", "cpu", *words]) == 130
    (folder,) = results(run) - before
    (journal,) = (folder / "journal").iterdir()
    assert journal.stat().st_size > 0
    assert main(["evaluate", str(run), "--device", "cpu", *words]) == 0
    assert not (folder / "journal").exists()
    points = read_points(folder)
    for path in (folder / "frontier.jsonl", *(folder / "outcomes").iterdir()):
        path.unlink()
    assert main(["evaluate", str(run), "--device", "cpu", *words]) == 0
    for one, other in zip(points, read_points(folder), strict=True):
        assert one.robust_accuracy == other.robust_accuracy
        assert one.diagnostics == other.diagnostics


def test_images_are_saved_for_each_point_and_threat(evaluated: Callable[..., Path]) -> None:
    words = ("--attack", "attacks/pgd.yaml", "--eps", "2/255", "9/255", "--n", "23")
    folder = evaluated(*words, "--save_images", "uint8")
    saved = sorted(path.name for path in (folder / "adversarial").iterdir())
    points = read_points(folder)
    steps = {int(name.split("-")[1]) for name in saved}
    assert steps == {point.step for point in points if point.accuracy.successes} != set()
    assert {name.split("-", 2)[2] for name in saved} == {"linf-2of255.npz", "linf-9of255.npz"}
    with np.load(folder / "adversarial" / saved[0]) as arrays:
        assert arrays["images"].dtype == np.uint8
        assert len(arrays["images"]) == len(arrays["broken"]) > 0


def test_what_the_run_knows_makes_the_estimate_near(run: Path) -> None:
    def plan(eps: str) -> Plan:
        return Plan(
            attack=PGD(steps=30),
            eps=[eps],
            inherit=False,
            audit=60,
            split="validation",
            n=None,
            batch_size=16,
            device=torch.device("cpu"),
            speed=Speed(),
            keep=None,
            pretrained=None,
        )

    known, seconds = Reevaluation(Run(run), plan("2/255")).expected()
    points = read_points(run)
    correct = sum(point.accuracy.successes for point in points)
    robust = sum(point.robust_accuracy["linf-2/255"].successes for point in points)
    assert known.backward == pytest.approx(31 * robust + 2 * (correct - robust))
    assert known.forward == pytest.approx(known.backward + 3 * 24)
    assert 0 < seconds < 60
    unknown, _ = Reevaluation(Run(run), plan("3/255")).expected()
    assert unknown.backward == pytest.approx(31 * correct)


def test_radii_are_the_runs_list_or_that_of_its_attack() -> None:
    attack = {"class_path": "robust_tuning.attacks.PGD", "init_args": {"eps": "3/255"}}
    assert _radii({"eps": ["1/255"], "attack": attack}) == ["1/255"]
    assert _radii({"eps": None, "attack": attack}) == ["3/255"]
    assert _radii({"attack": {"class_path": "robust_tuning.attacks.PGD"}}) is None
    assert _radii({"attack": None}) is None
    assert _radii({}) is None


def test_many_radii_have_a_short_name_of_their_own(evaluated: Callable[..., Path]) -> None:
    words = ("--attack", "attacks/curve.yaml", "--n", "6")
    folder = evaluated(*words)
    assert folder.name.split("-6-")[1].startswith("7-threats-")
    points = read_points(folder)
    assert [len(point.robust_accuracy) for point in points] == [7, 7, 7]
    for point in points:
        values = [estimate.value for estimate in point.robust_accuracy.values()]
        assert values == sorted(values, reverse=True)
    assert evaluated(*words, "--eps", "1/255", "2/255", "3/255", "4/255", "5/255") != folder
