"""The command's front door: finds the verb, and loads nothing that the verb does not need."""

import argparse
import sys
from importlib import import_module

from robust_tuning import __version__
from robust_tuning.errors import ConfigurationError, RobustTuningError

_TRAINING = "robust_tuning.cli.train"
_VERBS = {
    "fit": (_TRAINING, "fine-tune while robustness is measured; ends with a frontier"),
    "validate": (_TRAINING, "evaluate a checkpoint on the validation split"),
    "test": (_TRAINING, "evaluate a checkpoint on the test split"),
    "data": ("robust_tuning.cli.data", "prepare and check a benchmark's files"),
    "evaluate": ("robust_tuning.cli.evaluate", "attack the stored points of runs again"),
    "frontier": ("robust_tuning.cli.frontier", "compare runs: table, areas, plots"),
    "sweep": ("robust_tuning.cli.sweep", "run a sweep file without a server: many runs of fit"),
    "list": (
        "robust_tuning.cli.listing",
        "show strategies, benchmarks, attacks and configurations",
    ),
}


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The words behind `robust-tuning`; None takes the process's own.

    Returns:
        0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    words = sys.argv[1:] if argv is None else argv
    try:
        verb = _parse_verb(words[:1])
    except SystemExit as stop:  # argparse has printed its help or its one line
        return int(stop.code or 0)
    try:
        status: int = import_module(_VERBS[verb][0]).main(
            words if _VERBS[verb][0] == _TRAINING else words[1:]
        )
    except ConfigurationError as error:
        return _say(error, 2)
    except RobustTuningError as error:
        return _say(error, 1)
    except KeyboardInterrupt:
        return _say("interrupted", 130)
    return status


def _parse_verb(words: list[str]) -> str:
    width = max(map(len, _VERBS))
    parser = argparse.ArgumentParser(
        prog="robust-tuning",
        description="Fine-tune a pretrained vision model and know what it costs in robustness.",
        epilog="verbs:\n"
        + "\n".join(f"  {verb:<{width}}  {text}" for verb, (_, text) in _VERBS.items())
        + "\n\n`robust-tuning VERB --help` shows a verb's options.\n"
        "Begin with: robust-tuning fit --config configs/quickstart.yaml",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"robust-tuning {__version__}")
    parser.add_argument("verb", metavar="VERB", choices=list(_VERBS), help="what to do, see below")
    verb: str = parser.parse_args(words).verb
    return verb


def _say(message: object, status: int) -> int:
    print(f"robust-tuning: {message}", file=sys.stderr)
    return status
