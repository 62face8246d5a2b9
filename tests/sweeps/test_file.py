from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no annotations

from robust_tuning.errors import ConfigurationError
from robust_tuning.sweeps.early_stopping import Hyperband
from robust_tuning.sweeps.file import read_sweep, to_sweep


def content(**changes: Any) -> dict[str, Any]:
    return {
        "method": "grid",
        "parameters": {
            "model.strategy": {"values": ["LoRA", "BitFit"]},
            "model.lr": {"value": 0.1},
            "seed_everything": {"min": 0, "max": 2},
        },
        "command": ["robust-tuning", "fit", "${args}"],
        **changes,
    }


def test_a_grid_has_every_cell_once_in_order() -> None:
    sweep = to_sweep(content(), "mine")
    assert sweep.name == "mine"
    assert sweep.size == 6
    assert sweep.cells[1] == {"model.strategy": "LoRA", "model.lr": 0.1, "seed_everything": 1}
    assert len({str(cell) for cell in sweep.cells}) == 6
    # What does not vary is in no name.
    assert sweep.run_name(1, sweep.cells[1]) == "001-LoRA-seed1"
    assert sweep.words(sweep.cells[1])[1:] == [
        *("--model.strategy=LoRA", "--model.lr=0.1", "--seed_everything=1"),
    ]
    assert to_sweep(content(run_cap=4), "mine").cells == sweep.cells[:4]


def test_what_is_sampled_has_as_many_runs_as_are_asked_for() -> None:
    sweep = to_sweep(content(method="random", run_cap=4), "mine")
    assert sweep.cells == [{}] * 4
    assert to_sweep(content(method="random", run_cap=4), "mine", count=7).size == 7
    assert sweep.run_name(3, {"model.strategy": "LoRA"}) == "003"


def test_the_whole_of_a_file(tmp_path: Path) -> None:
    whole = content(
        method="bayes",
        name="other",
        project="p",
        run_cap=3,
        metric={"name": "validation/accuracy", "goal": "maximize"},
        early_terminate={"type": "hyperband", "max_iter": 9, "s": 1},
    )
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(whole))
    sweep = read_sweep(tmp_path / "mine.yaml")
    assert (sweep.name, sweep.metric, sweep.maximise) == ("other", "validation/accuracy", True)
    assert sweep.hyperband == Hyperband((3,), 3)


def test_how_many_runs_there_are_does_not_change_which_sweep_it_is() -> None:
    one = to_sweep(content(method="random", run_cap=4), "a").identity
    assert one == to_sweep(content(method="random", run_cap=9, project="p"), "b").identity
    assert one != to_sweep(content(method="bayes", run_cap=4, metric=AREA), "a").identity


AREA = {"name": "frontier/area", "goal": "maximize"}
NAN = {"lr": {"distribution": "uniform", "min": 0, "max": 1}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metod": 1}, "unknown key 'metod'; did you mean method"),
        ({"controller": {}}, "unknown key 'controller'"),
        ({"method": "pareot"}, "method: 'pareot', expected one of grid, random, bayes, pareto"),
        ({"parameters": {}}, "parameters: is missing or empty"),
        ({"parameters": {"a": {"value": 1}}}, "nothing varies"),
        ({"parameters": NAN}, "lr: a grid needs values"),
        ({"parameters": {**content()["parameters"], "config": {"value": 1}}}, "put it first"),
        ({"method": "random"}, "run_cap: is missing; random has no end"),
        ({"run_cap": 0}, "run_cap: 0"),
        ({"method": "bayes", "run_cap": 1}, "metric: got None"),
        ({"metric": {"name": "frontier/aera"}}, "did you mean frontier/area"),
        ({"metric": {"name": "x", "goal": "up"}}, "goal: maximize or minimize"),
        ({"method": "pareto", "run_cap": 1, "early_terminate": {}}, "two objectives"),
        ({"early_terminate": {"type": "x"}}, "early_terminate"),
        ({"command": ["python", "x.py"]}, "command: python x.py"),
    ],
)
def test_what_cannot_be_run_is_named(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content(**changes), sort_keys=False))
    with pytest.raises(ConfigurationError, match=f"mine.yaml: .*{said}"):
        read_sweep(path)


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", None])
def test_a_file_that_is_none(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"mine\.yaml"):
        read_sweep(tmp_path / "mine.yaml")
