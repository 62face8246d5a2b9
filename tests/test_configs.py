"""Every shipped configuration and every run of every shipped sweep is understood by the command."""

from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no annotations

from robust_tuning.cli.checking import parse_commands
from robust_tuning.cli.shipped import shipped_configs, shipped_root
from robust_tuning.errors import ConfigurationError
from robust_tuning.sweeps.file import Sweep, read_sweep, to_sweep
from tests.cli.parsing import parse

OVERLAYS = [name for name in shipped_configs() if name.count("/") == 2]
ALONE = [name for name in shipped_configs() if name.count("/") == 1]
SWEEPS = sorted((shipped_root() / "sweeps").glob("*.yaml"))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def test_there_is_something_to_test() -> None:
    assert "configs/quickstart.yaml" in ALONE
    assert {"configs/strategies/bitfit.yaml", "configs/attacks/paper.yaml"} <= set(OVERLAYS)
    assert SWEEPS


@pytest.mark.parametrize("name", ALONE)
def test_a_benchmark(name: str) -> None:
    config = parse("fit", "--config", name)
    said = written(shipped_root() / name)
    assert config.data.class_path.endswith(said["data"]["class_path"])
    assert config.trainer.max_epochs == said["trainer"]["max_epochs"]
    assert config.adversarial.n == said["adversarial"]["n"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_changes_what_it_says_and_nothing_else(name: str) -> None:
    base = parse("fit", "--config", "configs/quickstart.yaml", "--run", "x")
    config = parse("fit", "--config", "configs/quickstart.yaml", "--config", name, "--run", "x")
    before, after = base.as_flat(), config.as_flat()
    changed = {
        k for k in vars(before) | vars(after) if getattr(before, k, 0) != getattr(after, k, 0)
    }
    said = written(shipped_root() / name)
    sections = {f"{top}.{key}" for top, keys in said.items() for key in keys}
    assert {".".join(key.split(".")[:2]) for key in changed} <= sections | {"config"}
    if "ood" in said:
        wanted = [spec["class_path"] for spec in said["ood"]["shifts"]]
        found = [spec.class_path for spec in config.ood.shifts]
    else:
        kind = said.get("model", {}).get("strategy") or said["adversarial"]["attack"]
        wanted = [kind if isinstance(kind, str) else kind["class_path"]]
        found = [
            (config.model.strategy if "model" in said else config.adversarial.attack).class_path
        ]
    assert [path.rpartition(".")[2] for path in found] == wanted


def words_of(command: list[str], values: dict[str, Any]) -> list[str]:
    """The command of a run, put together by W&B's own code."""
    from wandb.sdk.launch.sweeps import utils

    arguments = {name: {"value": value} for name, value in values.items()}
    expanded = utils.create_sweep_command_args({"args": arguments})
    words: list[str] = []
    for word in utils.create_sweep_command(list(command)):
        inside = word.startswith("${") and word.endswith("}")
        words += expanded[word[2:-1]] if inside else [word]
    return words


def commands(sweep: Sweep) -> list[list[str]]:
    """Every value of every parameter once, or the ends of its range, beside the others' first."""
    first = {parameter.name: parameter.probes[0] for parameter in sweep.parameters}
    values = [{**first, p.name: probe} for p in sweep.parameters for probe in p.probes[1:]]
    return [words_of(sweep.content["command"], cell) for cell in (first, *values)]


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.name)
def test_the_runs_of_a_sweep(path: Path) -> None:
    sweep = read_sweep(path)
    lines = commands(sweep)
    assert {program for program, *_ in lines} == {"robust-tuning"}
    runs = set()
    for config in parse_commands([words for _, *words in lines]):
        config.config = None
        runs.add(str(config.as_dict()))
    assert len(runs) == 1 + sum(len(parameter.probes) - 1 for parameter in sweep.parameters)


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "caltech256", "cub200", "stanford_dogs"])
def test_a_benchmarks_sweep_has_the_studys_grid(name: str) -> None:
    sweep = read_sweep(shipped_root() / "sweeps" / f"{name}.yaml")
    assert sweep.size == 7 * 3 * 3
    assert {cell["config"] for cell in sweep.cells} == {
        name for name in OVERLAYS if name.startswith("configs/strategies/")
    }
    assert words_of(sweep.content["command"], {})[1:] == ["fit", "--config", f"configs/{name}.yaml"]


def test_the_order_of_a_sweeps_parameters_does_not_matter_to_wandb() -> None:
    # Its server may hand them out by name; a strategy's file must not replace the learning rate.
    sweep = read_sweep(shipped_root() / "sweeps/cifar10.yaml")
    cell = sweep.cells[0]
    by_name = dict(sorted(cell.items()))
    command = sweep.content["command"]
    both = parse_commands([words_of(command, values)[1:] for values in (cell, by_name)])
    assert both[0].model.as_dict() == both[1].model.as_dict()
    assert both[0].model.lr == cell["model.lr"]


def test_a_mistyped_key_of_a_sweep_is_found() -> None:
    content = written(shipped_root() / "sweeps/quickstart.yaml")
    content["parameters"]["model.stratgy"] = content["parameters"].pop("model.strategy")
    words = commands(to_sweep(content, "mistyped"))[-1]
    with pytest.raises(ConfigurationError, match=r"model\.stratgy.*model\.strategy"):
        parse_commands([words[1:]])


def test_a_sweeps_metric_is_one_that_is_logged() -> None:
    for path in SWEEPS:
        assert read_sweep(path).metric == "frontier/area"
