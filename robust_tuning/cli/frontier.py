"""`robust-tuning frontier`: compare finished or running runs; loads no torch."""

import argparse
import os
import sys
import warnings
from pathlib import Path
from typing import get_args

from rich.console import Console

from robust_tuning.errors import ConfigurationError, RobustTuningError, RunError
from robust_tuning.frontier import Run, find_runs, save_plot
from robust_tuning.frontier.comparison import AreaSettings, Comparison, compare
from robust_tuning.frontier.export import save_csv
from robust_tuning.frontier.pareto import Interpolation
from robust_tuning.frontier.report import comparison_tables


def main(argv: list[str]) -> int:
    """Print tables, write CSV and plots.

    Args:
        argv: The words behind `robust-tuning frontier`.

    Returns:
        0 done, 1 nothing that could be reported, 2 wrong usage.
    """
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
        settings = AreaSettings(
            reference=arguments.reference,
            interpolation=arguments.interpolation,
            confidence=arguments.confidence,
            replicates=arguments.replicates,
        )
    except SystemExit as stop:  # argparse has printed its help or its one line
        return int(stop.code or 0)
    except ConfigurationError as error:
        _say(error)
        return 2
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_: _say(message)
        try:
            return _report(arguments.runs, arguments.output, settings)
        except (RobustTuningError, OSError) as error:
            _say(error)
            return 1


def _report(paths: list[Path], output: Path | None, settings: AreaSettings) -> int:
    runs = _readable_runs(paths)
    comparisons = compare(runs, settings)
    if not comparisons:
        message = "nothing to report: no point with a robust accuracy; train with an attack first"
        raise RunError(message)
    console = Console()
    if not console.is_terminal:  # a file has no width: break no row
        console = Console(width=200)
    console.print(comparison_tables(comparisons))
    folder = output or _common_folder([run.folder for run in runs])
    for path in [*save_csv(comparisons, folder), *_plots(comparisons, folder)]:
        print(f"wrote {path}")
    return 0


def _readable_runs(paths: list[Path]) -> list[Run]:
    """The runs that can be reported; a line on stderr for every other one."""
    found: dict[Path, Run] = {}
    for path in paths:
        try:
            found |= {run.folder.resolve(): run for run in find_runs([path])}
        except RunError as error:
            _say(error)
    return [run for run in found.values() if _is_readable(run)]


def _is_readable(run: Run) -> bool:
    try:
        robust = [point for point in run.points if point.robust_accuracy]
    except RunError as error:
        _say(error)
        return False
    if not run.points:
        _say(f"{run.folder}: left out, no evaluation is stored in it yet")
    elif not robust:
        _say(f"{run.folder}: left out, its evaluations have no robust accuracy")
    return bool(robust)


def _plots(comparisons: list[Comparison], folder: Path) -> list[Path]:
    try:
        return save_plot(comparisons, folder)
    except ConfigurationError as error:
        _say(error)
        return []


def _common_folder(runs: list[Path]) -> Path:
    """The one run, or `frontier/` in the folder that all runs share."""
    if len(runs) == 1:
        return runs[0]
    shared = Path(os.path.commonpath([run.resolve() for run in runs]))
    # Runs from two ends of the disk share only its root: no place for files.
    return (Path.cwd() if shared == Path(shared.anchor) else shared) / "frontier"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="robust-tuning frontier",
        description="Compare runs: the frontier of accuracy and robust accuracy per strategy, "
        "its area, CSV files and plots.",
    )
    parser.add_argument(
        "runs", metavar="RUN", nargs="+", type=Path, help="a run folder, or a folder of run folders"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="where CSV and plots go (default: the run itself, or frontier/ beside several runs)",
    )
    parser.add_argument(
        "--interpolation",
        choices=get_args(Interpolation),
        default="staircase",
        help="what joins the members of a frontier (default: staircase)",
    )
    parser.add_argument(
        "--reference",
        type=_reference,
        metavar="ACC,ROB",
        default=(0.0, 0.0),
        help="the corner that areas are measured from, as fractions (default: 0,0)",
    )
    parser.add_argument(
        "--confidence", type=float, default=0.95, help="of all intervals (default: 0.95)"
    )
    parser.add_argument(
        "--replicates",
        type=int,
        default=1000,
        help="bootstrap replicates, 0 for areas without interval (default: 1000)",
    )
    return parser


def _reference(text: str) -> tuple[float, float]:
    try:
        accuracy, robust = map(float, text.split(","))
    except ValueError as error:
        message = f"got {text!r}, expected two fractions such as 0.1,0"
        raise argparse.ArgumentTypeError(message) from error
    return accuracy, robust


def _say(message: object) -> None:
    print(f"robust-tuning frontier: {message}", file=sys.stderr)
