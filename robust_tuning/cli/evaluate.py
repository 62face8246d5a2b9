"""`robust-tuning evaluate`: attack the stored points of runs again, without training."""

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import yaml  # type: ignore[import-untyped]  # has no annotations
from rich import get_console

from robust_tuning import __version__
from robust_tuning.attacks import PGD, Adversary, evaluate
from robust_tuning.callbacks.adversarial import (
    at_radii,
    identify,
    report_signs,
    to_measurement,
)
from robust_tuning.callbacks.evaluation import prepared
from robust_tuning.callbacks.measurement import Measurement
from robust_tuning.callbacks.progress import announce, standalone_bar
from robust_tuning.callbacks.recorder import sentence, stored_points
from robust_tuning.cli.shipped import find_config
from robust_tuning.data import BenchmarkDataModule
from robust_tuning.errors import ConfigurationError, RunError
from robust_tuning.frontier import (
    AttackIdentity,
    FrontierPoint,
    Run,
    append_point,
    find_runs,
    summarise_run,
)
from robust_tuning.frontier.outcomes import outcomes_path
from robust_tuning.plugins import from_spec
from robust_tuning.trajectory import load_point, trajectory_path
from robust_tuning.types import Split

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What is done to each point.

    Attributes:
        attack: The attack.
        eps: Radii; None takes those of the run.
        inherit: See `evaluate`.
        split: Where the examples come from.
        n: How many; None takes as many as the run did.
        batch_size: Examples attacked at a time.
        device: Where.
        pretrained: The backbone's weights file, where it has moved.
    """

    attack: Adversary
    eps: Sequence[float | str] | None
    inherit: bool
    split: Split
    n: int | None
    batch_size: int
    device: torch.device
    pretrained: str | None


def main(argv: list[str]) -> int:
    """Evaluate every stored point of some runs.

    Args:
        argv: The words behind `robust-tuning evaluate`.

    Returns:
        0 done, 2 wrong usage.

    Raises:
        ConfigurationError: If an option is wrong.
        RunError: If a path holds no run, or a run no stored points.
        WeightsError: If a point does not fit the pretrained weights that are here.
    """
    try:
        words = _parser().parse_args(argv)
    except SystemExit as stop:  # argparse has printed its help or its one line
        return int(stop.code or 0)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("robust_tuning").setLevel(logging.INFO)
    plan = _plan(words)
    for run in find_runs(Path(path).expanduser() for path in words.runs):
        if run.folder.parent.name != "evaluations":
            get_console().print(summarise_run(evaluate_run(run, plan)))
    return 0


def evaluate_run(run: Run, plan: Plan) -> Path:
    """Evaluate the stored points of a run; those that were evaluated so before are left alone.

    Args:
        run: The run.
        plan: What is done; radii and number of examples default to those of the run.

    Returns:
        The folder of the results, below `RUN/evaluations/` and itself in the form of a run.

    Raises:
        RunError: If the run keeps no weights or no configuration.
    """
    points, config = _stored(run), _config(run.folder)
    own = config.get("adversarial") or {}
    adversaries = at_radii(plan.attack, plan.eps or own.get("eps"))
    n = own.get("n") if plan.n is None else plan.n
    data = _data(config["data"])
    for point in points:
        path = trajectory_path(run.folder, point.step)
        tuner = load_point(path, pretrained=plan.pretrained).to(plan.device)
        identity = identify(plan.attack, tuner.backbone.perturb, inherit=plan.inherit)
        folder = _folder(run.folder, identity, adversaries, plan.split, n)
        if any(known.step == point.step for known in stored_points(folder)):
            continue
        data.match(tuner.backbone.image_input)
        examples = data.evaluation_loader(data.evaluation_examples(plan.split, n))
        size = len(examples.dataset)  # type: ignore[arg-type]  # sized by contract
        title = f"{run.folder.name}, step {point.step}"
        with standalone_bar(title, size * len(adversaries)) as bar:
            outcomes = evaluate(
                tuner.backbone,
                prepared(tuner, examples),
                adversaries,
                batch_size=plan.batch_size,
                inherit=plan.inherit,
                on_progress=bar.update,
            )
        report_signs(outcomes, title)
        _write(folder, point, to_measurement(outcomes, identity, plan.split))
    return folder


def _write(folder: Path, point: FrontierPoint, found: Measurement) -> None:
    """Store what was found in place of what the point said."""
    found.outcomes.write(outcomes_path(folder, point.step, found.split))
    measured = replace(
        point,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        code_version=__version__,
        split=found.split,
        accuracy=found.accuracy,
        robust_accuracy=found.robust_accuracy,
        ood_accuracy={},
        attack=found.attack,
        cost=found.cost,
        diagnostics=found.diagnostics,
    )
    append_point(folder, measured)
    announce(sentence(measured))


def _folder(
    run: Path, attack: AttackIdentity, adversaries: Sequence[Adversary], split: Split, n: int | None
) -> Path:
    """Where results go: a place for everything that makes them others."""
    threats = "_".join(adversary.threat.key for adversary in adversaries).replace("/", "of")
    count = "all" if n is None else str(n)
    return run / "evaluations" / f"{attack.fingerprint}-{split}-{count}-{threats}"


def _stored(run: Run) -> list[FrontierPoint]:
    """One point for each step whose weights were kept."""
    by_step = {point.step: point for point in run.points}
    kept = [p for s, p in sorted(by_step.items()) if trajectory_path(run.folder, s).is_file()]
    if not kept:
        message = (
            f"{run.folder} keeps no weights of its {len(by_step)} points (recorder.keep), so they "
            "cannot be evaluated again"
        )
        raise RunError(message)
    return kept


def _config(folder: Path) -> dict[str, Any]:
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


def _data(spec: dict[str, Any]) -> BenchmarkDataModule:
    arguments = spec.get("init_args") or {}
    data: BenchmarkDataModule = from_spec(
        {"class_path": spec["class_path"], "init_args": arguments}
    )
    return data


def _plan(words: argparse.Namespace) -> Plan:
    settings: dict[str, Any] = {}
    if words.attack is not None:
        content = yaml.safe_load(find_config(words.attack).read_text(encoding="utf-8"))
        settings = dict(content.get("adversarial", {})) if isinstance(content, dict) else {}
    spec = settings.get("attack")
    attack = PGD() if spec is None else _adversary(spec, words.attack)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Plan(
        attack=attack,
        eps=words.eps or settings.get("eps"),
        inherit=words.inherit or bool(settings.get("inherit", False)),
        split=words.split,
        n=words.n if words.n is not None else settings.get("n"),
        batch_size=words.batch_size,
        device=torch.device(words.device or device),
        pretrained=words.pretrained,
    )


def _adversary(spec: object, file: str) -> Adversary:
    import robust_tuning.attacks

    whole = {"class_path": spec} if isinstance(spec, str) else dict(spec)  # type: ignore[call-overload]  # a mapping
    path = str(whole["class_path"])
    if "." not in path:
        path = f"{robust_tuning.attacks.__name__}.{path}"
    attack = from_spec({"class_path": path, "init_args": whole.get("init_args") or {}})
    if not isinstance(attack, Adversary):
        message = f"--attack {file} names {path}, which is no attack"
        raise ConfigurationError(message)
    return attack


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="robust-tuning evaluate", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders, or folders of them")
    parser.add_argument("--attack", metavar="FILE", help="such as configs/attacks/triage.yaml")
    parser.add_argument("--eps", nargs="+", metavar="EPS", help="radii, such as 1/255 4/255")
    parser.add_argument("--split", choices=("validation", "test", "train"), default="validation")
    parser.add_argument("--n", type=int, help="how many examples (default: the run's)")
    parser.add_argument(
        "--inherit", action="store_true", help="search from the largest radius down"
    )
    parser.add_argument("--batch_size", type=int, default=64, help="examples attacked at a time")
    parser.add_argument("--device", help="such as cuda:1 (default: cuda where there is one)")
    parser.add_argument("--pretrained", help="the backbone's weights file, where it has moved")
    return parser
