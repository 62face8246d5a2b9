"""`robust-tuning data`: prepare and check the files of a benchmark, or of a set to measure on.

What loads torch is imported where it is used: help and wrong words are answered before.
"""

import argparse
import logging
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from robust_tuning.errors import ConfigurationError

if TYPE_CHECKING:
    from robust_tuning.data.check_report import Report


def main(argv: list[str]) -> int:
    """Prepare or check a benchmark.

    Args:
        argv: The words behind `robust-tuning data`.

    Returns:
        0 done and nothing affects training, 1 something does, 2 wrong usage.

    Raises:
        ConfigurationError: If an option is wrong.
        DataError: If files cannot be had, read or written.
    """
    try:
        words = _parser().parse_args(argv)
    except SystemExit as stop:  # argparse has printed its help or its one line
        return int(stop.code or 0)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("robust_tuning").setLevel(logging.INFO)
    return _prepare(words) if words.action == "prepare" else _check(words)


def _prepare(words: argparse.Namespace) -> int:
    from robust_tuning.cli.benchmarks import (
        build_benchmark,
        find_benchmark,
        takes,
        todo,
        training_words,
    )
    from robust_tuning.cli.external_sets import find_external, prepare_external
    from robust_tuning.data.domainnet import DomainNet

    external = find_external(words.name, {"domains": words.domains})
    if external is not None:
        return prepare_external(external, words.root, download=not words.no_download)
    kind = find_benchmark(words.name)
    if not takes(kind, "download"):
        message = (
            f"{kind.__name__} holds one's own images, of which nothing is published: put them in "
            f"place yourself, and then `robust-tuning data check {words.name} --root {words.root}`"
        )
        raise ConfigurationError(message)
    settings = {"domains": words.domains, "download": not words.no_download}
    data = build_benchmark(kind, words.root, settings)
    root = words.root.expanduser().resolve()
    if data.find(root) is None:
        for file in data.remote_files():
            print(todo(file, root, download=not words.no_download), flush=True)
    data.prepare_data()
    parts = {"": data}
    if isinstance(data, DomainNet):
        parts = {f"{domain}: ": data.alone(domain) for domain in data.domains}
    print(f"{kind.__name__} is in {data.home}")
    for prefix, part in parts.items():
        sizes = (f"{len(part.labels(split)):,} {split}" for split in part.split_sizes)
        print(f"  {prefix}{', '.join(sizes)}")
    print(f"next: {shlex.join(training_words(words.name, data))}")
    return 0


def _check(words: argparse.Namespace) -> int:
    from robust_tuning.cli.benchmarks import build_benchmark, find_benchmark, takes
    from robust_tuning.cli.external_sets import find_external
    from robust_tuning.data.checking import check
    from robust_tuning.data.external import check_external

    names = ("domains", "clutter", "skip", "expected", "write_skip")
    external = find_external(words.name, {name: getattr(words, name) for name in names})
    if external is not None:
        return _show(check_external(external, str(words.root)), words)
    kind = find_benchmark(words.name)
    if words.write_skip is not None and not takes(kind, "skip"):
        message = f"--write-skip means nothing to {kind.__name__}, which takes no list to skip"
        raise ConfigurationError(message)
    settings = {
        "domains": words.domains,
        "clutter": words.clutter or None,
        "skip": words.skip,
        "expected": None if words.expected is None else dict(words.expected),
    }
    return _show(check(build_benchmark(kind, words.root, settings), words.workers), words)


def _show(report: "Report", words: argparse.Namespace) -> int:
    from robust_tuning.cli.check_output import print_report, write_json, write_skip

    piped = words.json == "-"
    console = Console(stderr=piped)
    if not console.is_terminal:  # a file has no width: break no row
        console = Console(stderr=piped, width=200)
    print_report(report, console)
    if words.json is not None:
        write_json(report, words.json)
    if words.write_skip is not None:
        write_skip(report, words.skip, words.write_skip)
    return int(report.affects_training)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="robust-tuning data", description="Prepare and check a benchmark's files."
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    prepare = actions.add_parser(
        "prepare",
        help="download what is missing, verify and unpack it",
        description="Bring a benchmark's files to where training looks for them.",
    )
    check = actions.add_parser(
        "check",
        help="read every file and report what is wrong",
        description="Read every file of a benchmark and report what is wrong. Nothing is changed; "
        "the exit status is 1 if training would be affected.",
    )
    for action in (prepare, check):
        action.add_argument(
            "name", metavar="NAME", help="CUB200, STL10, ... or the import path of a class"
        )
        action.add_argument("--root", type=Path, metavar="DIR", required=True, help="its folder")
        action.add_argument(
            "--domains",
            nargs="+",
            metavar="DOMAIN",
            help="of DomainNet or DomainFolders (default: all)",
        )
    prepare.add_argument(
        "--no-download", action="store_true", help="take only what lies in the folder"
    )
    _add_check_options(check)
    return parser


def _add_check_options(check: argparse.ArgumentParser) -> None:
    check.add_argument("--clutter", action="store_true", help="Caltech256 with its clutter class")
    check.add_argument("--skip", metavar="FILE", help="list of images that are left out")
    check.add_argument(
        "--expected",
        nargs="+",
        type=_size,
        metavar="LIST=N",
        help="images per list of one's own version, such as train=596 test=600",
    )
    check.add_argument(
        "--json", metavar="FILE", help="write the whole report; - writes to the standard output"
    )
    check.add_argument(
        "--write-skip", type=Path, metavar="FILE", help="write the list of images to leave out"
    )
    check.add_argument(
        "--workers",
        type=_workers,
        default=_processors(),
        metavar="N",
        help="processes that read (default: one per processor)",
    )


def _size(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not name or not number.isdecimal():
        message = f"got {text!r}, expected a list and its number of images such as train=596"
        raise argparse.ArgumentTypeError(message)
    return name, int(number)


def _workers(text: str) -> int:
    if not text.isdecimal():
        message = f"got {text!r}, expected a number of processes, 0 or more"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _processors() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this operating system
        return os.cpu_count() or 1
