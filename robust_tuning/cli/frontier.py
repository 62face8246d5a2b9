"""`robust-tuning frontier`: compare finished or running runs; loads no torch."""

import argparse
import os
import shlex
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from rich.console import Console

from robust_tuning.cli.wandb_points import add_wandb_option, chosen_runs
from robust_tuning.errors import ConfigurationError, RobustTuningError, RunError
from robust_tuning.frontier import Run, find_runs, save_plot
from robust_tuning.frontier.column_plots import save_column_plots
from robust_tuning.frontier.comparison import AreaSettings, Pool, compare
from robust_tuning.frontier.export import save_csv
from robust_tuning.frontier.judge import judge_all
from robust_tuning.frontier.notes import MOST_COMPARED
from robust_tuning.frontier.page import save_report
from robust_tuning.frontier.paper_table import paper_tables
from robust_tuning.frontier.pareto import Interpolation, Normalisation
from robust_tuning.frontier.report import comparison_tables
from robust_tuning.frontier.shift_comparison import compare_shifts, shift_names
from robust_tuning.frontier.shift_export import save_shift_csv
from robust_tuning.frontier.shift_panel import Reference, ShiftSettings
from robust_tuning.frontier.shift_plots import save_shift_plot
from robust_tuning.frontier.shift_report import shift_tables
from robust_tuning.frontier.verdict_export import save_verdict_csv


def main(argv: list[str]) -> int:
    """Print tables, write CSV, plots and the report.

    Args:
        argv: The words behind `robust-tuning frontier`.

    Returns:
        0 done, 1 nothing that could be reported, 2 wrong usage.
    """
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
        if not (arguments.runs or arguments.wandb):
            parser.error("name a RUN, or --wandb ENTITY/PROJECT")
        settings = AreaSettings(
            reference=arguments.reference,
            interpolation=arguments.interpolation,
            confidence=arguments.confidence,
            replicates=arguments.replicates,
            pool=arguments.pool,
            normalise=arguments.normalise,
        )
        shift_settings = ShiftSettings(
            confidence=arguments.confidence,
            replicates=arguments.replicates,
            reference=arguments.ood_reference,
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
            command = shlex.join(["robust-tuning", "frontier", *argv]) if arguments.report else None
            return _report(arguments, settings, shift_settings, command)
        except (RobustTuningError, OSError) as error:
            _say(error)
            return 1


def _report(
    arguments: argparse.Namespace,
    settings: AreaSettings,
    shift_settings: ShiftSettings,
    command: str | None,
) -> int:
    """Everything for some runs; without the command that it prints, no report.html."""
    runs = _readable_runs(chosen_runs(arguments))
    comparisons, panels = compare(runs, settings), compare_shifts(runs, shift_settings)
    if not comparisons and not panels:
        message = (
            "nothing to report: no point with a robust accuracy or under a shift; train with an "
            "attack or with shifts first"
        )
        raise RunError(message)
    console = Console()
    if not console.is_terminal:  # a file has no width: break no row
        console = Console(width=200)
    verdicts = judge_all(comparisons)
    shown = [comparison.largest(MOST_COMPARED) for comparison in comparisons]
    if arguments.table == "paper":
        console.print(paper_tables(comparisons))
    else:
        console.print(comparison_tables(shown, verdicts), shift_tables(panels), sep="")
    folder = arguments.output or _common_folder([run.folder for run in runs])
    written = [
        *(save_csv(comparisons, folder) if comparisons else []),
        *save_verdict_csv(comparisons, verdicts, folder),
        *save_shift_csv(panels, folder),
        *_optional(
            lambda: [
                *save_plot(shown, folder),
                *save_shift_plot(panels, folder),
                *(save_column_plots(shown, folder / "figures") if command else []),
            ]
        ),
    ]
    if command is not None:
        answers = {
            (comparison.conditions, panel.threat): verdict
            for comparison, row in zip(comparisons, verdicts, strict=True)
            for panel, verdict in zip(comparison.panels, row, strict=True)
        }
        written += _optional(lambda: [save_report(shown, panels, answers, runs, folder, command)])
    for path in written:
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
        measured = [point for point in run.points if point.robust_accuracy or shift_names(point)]
    except RunError as error:
        _say(error)
        return False
    if not run.points:
        _say(f"{run.folder}: left out, no evaluation is stored in it yet")
    elif not measured:
        _say(f"{run.folder}: left out, its evaluations have no robust accuracy and no shift")
    return bool(measured)


def _optional(write: Callable[[], list[Path]]) -> list[Path]:
    """What needs a library that may be missing; then its line on stderr."""
    try:
        return write()
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
        "its area, accuracy under shifts, CSV files, plots, and all of it as a page, report.html.",
    )
    parser.add_argument(
        "runs", metavar="RUN", nargs="*", type=Path, help="a run folder, or a folder of run folders"
    )
    add_wandb_option(parser)
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="where all files go (default: the run itself, or frontier/ beside several runs)",
    )
    parser.add_argument(
        "--no-report",
        dest="report",
        action="store_false",
        help="neither report.html nor the figures of one column in figures/: some seconds less",
    )
    parser.add_argument(
        "--pool",
        choices=get_args(Pool),
        default="strategy",
        help="what one frontier is made of: a run, the runs of a strategy over seeds and settings, "
        "or all runs (default: strategy)",
    )
    parser.add_argument(
        "--table",
        choices=("full", "paper"),
        default="full",
        help="paper: areas alone, strategies down and benchmarks across (default: full)",
    )
    parser.add_argument(
        "--normalise",
        choices=get_args(Normalisation),
        default="none",
        help="best: areas as a share of the area of a model that is always right (default: none)",
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
        help="bootstrap replicates, 0 for areas and means without interval (default: 1000)",
    )
    parser.add_argument(
        "--ood_reference",
        type=_ood_reference,
        metavar="RUN[:STEP]",
        help="the model whose errors are the unit of mCE, at its most accurate step unless told "
        "(default: none, errors relative to clean images)",
    )
    return parser


def _ood_reference(text: str) -> Reference:
    folder, colon, step = text.rpartition(":")
    chosen, number = (Path(folder), int(step)) if colon and step.isdecimal() else (Path(text), None)
    try:
        (run,) = find_runs([chosen])
    except (RunError, ValueError) as error:
        message = f"got {text!r}, expected one run folder, such as runs/linear or runs/linear:800"
        raise argparse.ArgumentTypeError(message) from error
    return Reference(run, number)


def _reference(text: str) -> tuple[float, float]:
    try:
        accuracy, robust = map(float, text.split(","))
    except ValueError as error:
        message = f"got {text!r}, expected two fractions such as 0.1,0"
        raise argparse.ArgumentTypeError(message) from error
    return accuracy, robust


def _say(message: object) -> None:
    print(f"robust-tuning frontier: {message}", file=sys.stderr)
