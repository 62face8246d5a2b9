"""`robust-tuning frontier --wandb`: runs logged at Weights & Biases, as run folders.

What is read are the lines of each run's `frontier.jsonl`, so that every reader of run folders can
go on from there. What happened to single examples is not logged: there are no bootstrap intervals.
"""

import argparse
import re
import warnings
from pathlib import Path
from typing import Any

from robust_tuning.errors import RunError
from robust_tuning.frontier.files import replace_file
from robust_tuning.frontier.history import KEYS, to_lines
from robust_tuning.frontier.store import FILE_NAME


def add_wandb_option(parser: argparse.ArgumentParser) -> None:
    """Let runs be named that lie at Weights & Biases."""
    parser.add_argument(
        "--wandb",
        type=_project,
        metavar="ENTITY/PROJECT",
        help="also the runs of this project at Weights & Biases, whose points are written into "
        "--output, or into wandb-PROJECT/; needs its account; not tried against the real service, "
        "only against responses written after its client's queries",
    )


def chosen_runs(arguments: argparse.Namespace) -> list[Path]:
    """The run folders that were named, and those of what was read from Weights & Biases.

    Raises:
        RunError: The project cannot be read.
    """
    if arguments.wandb is None:
        return list(arguments.runs)
    output = arguments.output
    folder = output / "runs" if output else Path(f"wandb-{arguments.wandb.partition('/')[2]}")
    return [*arguments.runs, *fetch_runs(arguments.wandb, folder)]


def fetch_runs(project: str, folder: Path) -> list[Path]:
    """Write the points of all runs of a project into run folders.

    A run without points is left out with a warning.

    Args:
        project: `ENTITY/PROJECT`.
        folder: Where to; each run gets a folder of its name and id, replaced if it is there.

    Returns:
        The run folders.

    Raises:
        RunError: The project cannot be read, or none of its runs has points.
        OSError: The folders cannot be written.
    """
    fetched = []
    for name, lines in _read(project).items():
        if lines:
            fetched.append(folder / name)
            _write(fetched[-1] / FILE_NAME, lines)
        else:
            warnings.warn(f"{project}, {name}: left out, it has logged no points", stacklevel=2)
    if not fetched:
        message = f"{project} at Weights & Biases has no run with points: expected runs of `fit`"
        raise RunError(message)
    return fetched


def _write(path: Path, lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines).encode()
    replace_file(path, lambda file: file.write(text))


def _read(project: str) -> dict[str, list[str]]:
    """By folder name, the lines of every run."""
    import wandb

    try:
        runs = wandb.Api().runs(project)
        return {_folder_name(run): to_lines(run.scan_history(keys=list(KEYS))) for run in runs}
    except Exception as error:  # of its client, of the network, or of what it answers
        message = (
            f"{project} cannot be read from Weights & Biases ({type(error).__name__}: {error}): "
            "check the name, and log in with `wandb login` or by WANDB_API_KEY"
        )
        raise RunError(message) from error


def _folder_name(run: Any) -> str:  # noqa: ANN401  a class of wandb's
    """Of a run; its name alone may be that of several."""
    name = re.sub(r"[^\w.-]+", "_", run.name or "run")
    return f"{name}-{run.id}"


def _project(text: str) -> str:
    if not re.fullmatch(r"[^/\s]+/[^/\s]+", text):
        message = f"got {text!r}, expected ENTITY/PROJECT such as my-team/robust-tuning"
        raise argparse.ArgumentTypeError(message)
    return text
