"""`robust-tuning list`: what there is to choose from."""

import argparse
import inspect

from rich.console import Console
from rich.table import Table

from robust_tuning.cli.plugins import BASES, concrete_subclasses
from robust_tuning.cli.shipped import shipped_configs

_KINDS = {
    "strategies": "model.strategy",
    "objectives": "model.objective",
    "benchmarks": "data",
    "attacks": "adversarial.attack",
    "shifts": "ood.shifts",
}


def main(argv: list[str]) -> int:
    """Print the plugins of a kind, or of all.

    Args:
        argv: The words behind `robust-tuning list`.

    Returns:
        0 done, 2 wrong usage.
    """
    parser = argparse.ArgumentParser(prog="robust-tuning list", description=__doc__)
    parser.add_argument("kind", nargs="?", choices=[*_KINDS, "configs"], help="default: all")
    try:
        kind = parser.parse_args(argv).kind
    except SystemExit as stop:  # argparse has printed its help or its one line
        return int(stop.code or 0)
    console = Console()
    for name, key in _KINDS.items():
        if kind in (None, name):
            console.print(_table(name, key))
    if kind in (None, "configs"):
        console.print("configurations:", ", ".join(shipped_configs()), soft_wrap=True)
    return 0


def _table(title: str, key: str) -> Table:
    table = Table(title=f"{title}  (--{key} NAME)", title_justify="left", box=None)
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("what it is")
    for cls in sorted(concrete_subclasses(BASES[key]), key=lambda cls: cls.__name__):
        table.add_row(cls.__name__, (inspect.getdoc(cls) or "").partition("\n")[0])
    return table
