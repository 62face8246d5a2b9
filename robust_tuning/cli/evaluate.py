"""`robust-tuning evaluate`: evaluate the stored points of runs again, without training."""

import argparse
import logging
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import yaml  # type: ignore[import-untyped]  # has no annotations
from rich import get_console

import robust_tuning.attacks
import robust_tuning.shifts
from robust_tuning.attacks import Adversary, Speed, Triage
from robust_tuning.callbacks.adversarial import at_radii
from robust_tuning.callbacks.progress import announce
from robust_tuning.callbacks.shift_plan import ShiftPlan
from robust_tuning.cli.reevaluation import Plan, Reevaluation
from robust_tuning.cli.shift_reevaluation import ShiftReevaluation, ShiftWork
from robust_tuning.cli.shipped import find_config
from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import Run, find_runs, summarise_run
from robust_tuning.plugins import from_spec
from robust_tuning.shifts import Shift

_LIKE = {"adversarial": "attacks/apgd.yaml", "ood": "shifts/corruptions.yaml"}


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
    work = _shift_work(words) if words.shifts else _plan(words)
    for run in find_runs(Path(path).expanduser() for path in words.runs):
        if run.folder.parent.name != "evaluations":
            _evaluate(run, work, dry=words.dry_run)
    return 0


def _evaluate(run: Run, plan: Plan | ShiftWork, *, dry: bool) -> None:
    """Say what there is to do, and do it unless it is only to be said."""
    work = Reevaluation(run, plan) if isinstance(plan, Plan) else ShiftReevaluation(run, plan)
    count = len(work.due)
    announce(f"{run.folder.name}: {count} points to evaluate {work.expected_in_words()}")
    if dry:
        return
    for number, point in enumerate(work.due, start=1):
        work.evaluate(point, f"{run.folder.name}, step {point.step} ({number} of {count})")
    get_console().print(summarise_run(work.folder))


def _section(file: str | None, name: str) -> dict[str, Any]:
    """One part of a configuration file; nothing where there is no file."""
    if file is None:
        return {}
    content = yaml.safe_load(find_config(file).read_text(encoding="utf-8"))
    section = content.get(name) if isinstance(content, dict) else None
    if not isinstance(section, dict):
        message = f"{file} has no section {name!r}: expected one such as in configs/{_LIKE[name]}"
        raise ConfigurationError(message)
    return section


def _plan(words: argparse.Namespace) -> Plan:
    settings = _section(words.attack, "adversarial")
    spec = settings.get("attack")
    attack = Triage() if spec is None else _adversary(spec, words.attack)
    return Plan(
        attack=attack,
        eps=words.eps or settings.get("eps"),
        inherit=words.inherit or bool(settings.get("inherit", False)),
        audit=words.audit,
        split=words.split or "validation",
        n=words.n if words.n is not None else settings.get("n"),
        batch_size=words.batch_size,
        device=_device(words),
        speed=Speed(precision=words.precision, compile=words.compile),
        keep=words.save_images,
        pretrained=words.pretrained,
        steps=words.steps,
    )


def _shift_work(words: argparse.Namespace) -> ShiftWork:
    settings = _section(words.shifts, "ood")
    attacking = _section(words.attack, "adversarial")
    specs = settings.get("shifts") or []
    shifts = [_plugin(spec, robust_tuning.shifts, Shift, words.shifts) for spec in specs]
    if not shifts:
        message = f"--shifts {words.shifts} names no shifts (ood.shifts)"
        raise ConfigurationError(message)
    spec, file = attacking.get("attack"), words.attack
    if spec is None:
        spec, file = settings.get("attack"), words.shifts
    eps = words.eps or attacking.get("eps") or settings.get("eps")
    attack = None if spec is None else _adversary(spec, file)
    return ShiftWork(
        plan=ShiftPlan(
            shifts=shifts,
            adversaries=[] if attack is None else at_radii(attack, eps),
            batch_size=words.batch_size,
            speed=Speed(precision=words.precision, compile=words.compile),
            cache=words.cache or settings.get("cache", "none"),
            cache_dir=settings.get("cache_dir"),
        ),
        split=words.split or settings.get("split") or "validation",
        n=words.n if words.n is not None else settings.get("n"),
        device=_device(words),
        pretrained=words.pretrained,
        steps=words.steps,
    )


def _device(words: argparse.Namespace) -> torch.device:
    return torch.device(words.device or ("cuda" if torch.cuda.is_available() else "cpu"))


def _adversary(spec: object, file: str) -> Adversary:
    adversary: Adversary = _plugin(spec, robust_tuning.attacks, Adversary, file)
    return adversary


def _plugin(spec: object, home: ModuleType, base: type, file: str) -> Any:  # noqa: ANN401  of `base`
    """Build what a configuration file names, by a short name or an import path."""
    whole = {"class_path": spec} if isinstance(spec, str) else dict(spec)  # type: ignore[call-overload]  # a mapping
    path = str(whole["class_path"])
    if "." not in path:
        path = f"{home.__name__}.{path}"
    plugin = from_spec({"class_path": path, "init_args": whole.get("init_args") or {}})
    if not isinstance(plugin, base):
        what = "attack" if base is Adversary else "shift"
        message = f"{file} names {path}, which is no {what}"
        raise ConfigurationError(message)
    return plugin


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="robust-tuning evaluate", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders, or folders of them")
    parser.add_argument(
        "--attack", metavar="FILE", help="such as configs/attacks/curve.yaml (default: Triage)"
    )
    parser.add_argument(
        "--shifts",
        metavar="FILE",
        help="measure on shifted images instead, such as configs/shifts/corruptions.yaml; with "
        "--attack these are attacked",
    )
    parser.add_argument(
        "--cache", choices=("none", "ram", "disk"), help="of shifted images (default: none)"
    )
    parser.add_argument("--eps", nargs="+", metavar="EPS", help="radii, such as 1/255 4/255")
    parser.add_argument(
        "--split", choices=("validation", "test", "train"), help="default: validation"
    )
    parser.add_argument(
        "--steps", nargs="+", type=int, metavar="STEP", help="only these points (default: all)"
    )
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
