"""Every shipped configuration and every run of every shipped sweep is understood by the command."""

from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no annotations

from robust_tuning.cli.shipped import shipped_configs, shipped_root
from robust_tuning.errors import ConfigurationError
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


def commands(sweep: dict[str, Any]) -> list[list[str]]:
    """The command of every run of a grid, put together by W&B's own code."""
    from wandb.sdk.launch.sweeps import utils

    names, values = zip(
        *((n, p.get("values", [p.get("value")])) for n, p in sweep["parameters"].items()),
        strict=True,
    )
    found = []
    for cell in product(*values):
        arguments = {n: {"value": v} for n, v in zip(names, cell, strict=True)}
        expanded = utils.create_sweep_command_args({"args": arguments})
        words: list[str] = []
        for word in utils.create_sweep_command(list(sweep["command"])):
            inside = word.startswith("${") and word.endswith("}")
            words += expanded[word[2:-1]] if inside else [word]
        found.append(words)
    return found


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.name)
def test_every_run_of_a_sweep(path: Path) -> None:
    sweep = written(path)
    assert sweep["method"] == "grid"
    runs = set()
    for program, *words in commands(sweep):
        assert program == "robust-tuning"
        config = parse(*words)
        config.run = config.recorder.folder = None
        runs.add(str(config.as_dict()))
    assert len(runs) == prod(len(p.get("values", [0])) for p in sweep["parameters"].values())


def test_a_mistyped_key_of_a_sweep_is_found() -> None:
    sweep = written(SWEEPS[0])
    sweep["parameters"]["model.stratgy"] = sweep["parameters"].pop("model.strategy")
    [*_, words] = commands(sweep)
    with pytest.raises(ConfigurationError, match=r"model\.stratgy.*model\.strategy"):
        parse(*words[1:])


def test_a_sweeps_metric_is_one_that_is_logged() -> None:
    for path in SWEEPS:
        name = written(path)["metric"]["name"]
        assert name in ("frontier/area", "frontier/accuracy", "validation/accuracy") or (
            name.startswith(("frontier/area/", "frontier/robust_accuracy/"))
        )
