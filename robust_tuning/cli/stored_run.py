"""What a run has kept: points with weights, and what it was trained on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # has no annotations

from robust_tuning.data import BenchmarkDataModule
from robust_tuning.errors import ConfigurationError, RunError
from robust_tuning.frontier import FrontierPoint, Run
from robust_tuning.plugins import from_spec
from robust_tuning.trajectory import trajectory_path


def points_with_weights(run: Run, steps: Sequence[int] | None = None) -> list[FrontierPoint]:
    """One point for each step whose weights were kept.

    Args:
        run: The run.
        steps: Only these; None takes all.

    Raises:
        RunError: If none were.
        ConfigurationError: If those of a step that was asked for were not.
    """
    by_step = {point.step: point for point in run.points}
    kept = [p for s, p in sorted(by_step.items()) if trajectory_path(run.folder, s).is_file()]
    if not kept:
        message = (
            f"{run.folder} keeps no weights of its {len(by_step)} points (recorder.keep), so they "
            "cannot be evaluated again"
        )
        raise RunError(message)
    if steps is None:
        return kept
    known = [point.step for point in kept]
    if missing := sorted(set(steps) - set(known)):
        message = (
            f"--steps: {run.folder} keeps no weights of step {', '.join(map(str, missing))}; it "
            f"keeps those of {', '.join(map(str, known))}"
        )
        raise ConfigurationError(message)
    return [point for point in kept if point.step in steps]


def read_config(folder: Path) -> dict[str, Any]:
    """The resolved configuration of a run, with the benchmark under `data`.

    Raises:
        RunError: If there is none that says so.
    """
    file = folder / "config.yaml"
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"{file} cannot be read ({error}), which says what the run was trained on"
        raise RunError(message) from error
    if not isinstance(config, dict) or "data" not in config:
        message = f"{file} does not say which benchmark the run was trained on"
        raise RunError(message)
    return config


def build_data(spec: dict[str, Any]) -> BenchmarkDataModule:
    """The data module that a configuration describes as `class_path` and `init_args`."""
    arguments = spec.get("init_args") or {}
    data: BenchmarkDataModule = from_spec(
        {"class_path": spec["class_path"], "init_args": arguments}
    )
    return data
