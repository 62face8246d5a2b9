"""`robust-tuning sweep`: a Weights & Biases sweep file, run without a server.

What loads torch is imported where it is used: workers and whoever joins a sweep need none of it.
"""

import argparse
import shlex
import sys
from pathlib import Path

from rich.console import Console

from robust_tuning.cli.shipped import find_sweep
from robust_tuning.errors import RunError
from robust_tuning.sweeps.crew import Crew
from robust_tuning.sweeps.devices import sets_of_gpus, visible_gpus
from robust_tuning.sweeps.file import Sweep, read_sweep
from robust_tuning.sweeps.ledger import Ledger, begin_ledger, find_ledger
from robust_tuning.sweeps.storage import open_storage
from robust_tuning.sweeps.table import ProgressTable
from robust_tuning.sweeps.worker import WorkerSettings

PROGRAM = (sys.executable, "-m", "robust_tuning")


def main(argv: list[str]) -> int:
    """Run a sweep, join one, or continue one.

    Args:
        argv: The words behind `robust-tuning sweep`.

    Returns:
        0 every run has come to a result, 1 some have failed, 2 wrong usage, 130 interrupted.

    Raises:
        ConfigurationError: If the file or an option is wrong.
        RunError: If the sweep is another one's, or its storage cannot be reached.
    """
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:  # argparse has printed its help or its one line
        return int(stop.code or 0)
    sweep = read_sweep(find_sweep(arguments.file), arguments.count)
    folder = arguments.folder or Path("runs/sweeps") / sweep.name
    if arguments.dry_run:
        return _list(sweep, folder)
    sets = sets_of_gpus(visible_gpus(), arguments.gpus_per_run)
    place = arguments.storage or str(folder / "sweep.journal")
    storage = open_storage(place)
    ledger = find_ledger(storage, sweep, arguments.retries)
    if ledger is None:
        _check(sweep)
        ledger = begin_ledger(storage, sweep, arguments.retries)
    elif not (arguments.resume or arguments.retry_failed or arguments.storage):
        message = f"{folder} holds this sweep already; continue or join it with --resume"
        raise RunError(message)
    ledger.add_due(ledger.records())  # before the workers, who would do so all at once
    if arguments.retry_failed:
        ledger.retry_failed()
    settings = WorkerSettings(
        content=dict(sweep.content),
        name=sweep.name,
        count=sweep.size,
        storage=place,
        folder=str(folder),
        program=PROGRAM,
        environment={},
        retries=arguments.retries,
    )
    crew = Crew(settings, arguments.workers or max(1, len(sets)), sets)
    return _run(ledger, crew, settings.folder)


def _run(ledger: Ledger, crew: Crew, folder: str) -> int:
    console = Console()
    with ProgressTable(ledger.sweep, console) as table:
        status = crew.watch(ledger, table.show)
    for record in ledger.records():
        if record.state == "failed":
            print(f"\nrun {record.index:03d} failed:\n{record.log}", file=sys.stderr)
    if status == 130:
        print("interrupted; continue with the same command and --resume", file=sys.stderr)
    else:
        print(f"runs: {folder}\nreport: robust-tuning frontier {shlex.quote(folder)}")
    return status


def _check(sweep: Sweep) -> None:
    """Parse what the sweep will run, before anything begins.

    Every value of every parameter is tried once beside the first values of the others.
    """
    from robust_tuning.cli.checking import parse_commands

    first = {parameter.name: parameter.probes[0] for parameter in sweep.parameters}
    cells = [first]
    for parameter in sweep.parameters:
        cells += [{**first, parameter.name: probe} for probe in parameter.probes[1:]]
    parse_commands([sweep.words(cell) for cell in cells])


def _list(sweep: Sweep, folder: Path) -> int:
    """Print the command of every run of a grid, or what is sampled."""
    _check(sweep)
    for index, cell in enumerate(sweep.cells if sweep.method == "grid" else ()):
        words = ["robust-tuning", *sweep.words(cell)]
        words += ["--run", str(folder / sweep.run_name(index, cell)), "--ckpt_path", "last"]
        print(shlex.join(words))
    for parameter in sweep.parameters if sweep.method != "grid" else ():
        print(f"{parameter.name}: {', '.join(map(str, parameter.probes))}")
    print(f"{sweep.name}: {sweep.method}, {sweep.size} runs, nothing begun")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="robust-tuning sweep",
        description="Run a Weights & Biases sweep file without a server: grid, random, bayes, and "
        "pareto, a search for both accuracy and robust accuracy.",
    )
    parser.add_argument("file", metavar="FILE", help="such as sweeps/quickstart.yaml")
    parser.add_argument(
        "--workers",
        type=_positive,
        metavar="N",
        help="runs at a time on this machine (default: as many as its GPUs suffice for, or one)",
    )
    parser.add_argument(
        "--gpus_per_run",
        type=_positive,
        default=1,
        metavar="N",
        help="that each run has, for files with trainer.devices (default: 1)",
    )
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="where the state lies, for several machines: postgresql+psycopg://..., or the path of "
        "a journal file; joins the sweep if it has begun (default: sweep.journal in its folder)",
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue or join a sweep; begins where there is none"
    )
    parser.add_argument(
        "--retry_failed", action="store_true", help="attempt once more the runs that have failed"
    )
    parser.add_argument(
        "--retries",
        type=int,
        default=5,
        metavar="N",
        help="how often a run that dies is taken up again without any progress (default: 5)",
    )
    parser.add_argument(
        "--count", type=_positive, metavar="N", help="how many runs, in place of the file's run_cap"
    )
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="of all runs (default: runs/sweeps/NAME)"
    )
    parser.add_argument(
        "--dry_run", action="store_true", help="check and list the runs, begin nothing"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        message = f"got {text!r}, expected a whole number from 1 on"
        raise argparse.ArgumentTypeError(message)
    return int(text)
