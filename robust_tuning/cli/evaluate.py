"""`robust-tuning evaluate`: attack the stored points of runs again, without training."""

import argparse
import logging
from pathlib import Path
from typing import Any

import torch
import yaml  # type: ignore[import-untyped]  # has no annotations
from rich import get_console

from robust_tuning.attacks import Adversary, Speed, Triage
from robust_tuning.callbacks.progress import announce
from robust_tuning.cli.reevaluation import Plan, Reevaluation
from robust_tuning.cli.shipped import find_config
from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import Run, find_runs, summarise_run
from robust_tuning.plugins import from_spec


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
            _evaluate(run, plan, dry=words.dry_run)
    return 0


def _evaluate(run: Run, plan: Plan, *, dry: bool) -> None:
    """Say what there is to do, and do it unless it is only to be said."""
    work = Reevaluation(run, plan)
    passes, seconds = work.expected()
    count = len(work.due)
    threats = ", ".join(adversary.threat.key for adversary in work.adversaries)
    announce(
        f"{run.folder.name}: {count} points to evaluate under {threats}; about "
        f"{passes.forward:,.0f} forward and {passes.backward:,.0f} backward passes, "
        f"{_duration(seconds)} on {plan.device}; an upper bound for threats that the run does not "
        "know"
    )
    if dry:
        return
    for number, point in enumerate(work.due, start=1):
        work.evaluate(point, f"{run.folder.name}, step {point.step} ({number} of {count})")
    get_console().print(summarise_run(work.folder))


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _plan(words: argparse.Namespace) -> Plan:
    settings: dict[str, Any] = {}
    if words.attack is not None:
        content = yaml.safe_load(find_config(words.attack).read_text(encoding="utf-8"))
        settings = dict(content.get("adversarial", {})) if isinstance(content, dict) else {}
    spec = settings.get("attack")
    attack = Triage() if spec is None else _adversary(spec, words.attack)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Plan(
        attack=attack,
        eps=words.eps or settings.get("eps"),
        inherit=words.inherit or bool(settings.get("inherit", False)),
        audit=words.audit,
        split=words.split,
        n=words.n if words.n is not None else settings.get("n"),
        batch_size=words.batch_size,
        device=torch.device(words.device or device),
        speed=Speed(precision=words.precision, compile=words.compile),
        keep=words.save_images,
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
    parser.add_argument(
        "--attack", metavar="FILE", help="such as configs/attacks/curve.yaml (default: Triage)"
    )
    parser.add_argument("--eps", nargs="+", metavar="EPS", help="radii, such as 1/255 4/255")
    parser.add_argument("--split", choices=("validation", "test", "train"), default="validation")
    parser.add_argument("--n", type=int, help="how many examples (default: the run's)")
    parser.add_argument(
        "--inherit", action="store_true", help="search from the largest radius down"
    )
    parser.add_argument(
        "--audit", type=int, default=60, help="inherited verdicts attacked all the same"
    )
    parser.add_argument("--batch_size", type=int, default=64, help="examples attacked at a time")
    parser.add_argument("--device", help="such as cuda:1 (default: cuda where there is one)")
    parser.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        default="auto",
        help="of gradients; verdicts are always float32",
    )
    parser.add_argument("--compile", action="store_true", help="compile the gradient passes")
    parser.add_argument(
        "--save_images",
        choices=("float32", "uint8"),
        help="save the adversarial images; as uint8 they are rounded and judged again",
    )
    parser.add_argument("--dry_run", action="store_true", help="say what it would cost, and stop")
    parser.add_argument("--pretrained", help="the backbone's weights file, where it has moved")
    return parser
