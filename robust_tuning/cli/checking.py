"""Commands of `robust-tuning fit`, checked without running them."""

import warnings
from collections.abc import Sequence

from jsonargparse import Namespace
from rich import get_console

from robust_tuning.cli.parsing import with_shipped_configs
from robust_tuning.cli.train import TrainingCLI, quiet_libraries, run_cli


class _ParsingCLI(TrainingCLI):
    """Parses the command, builds nothing and runs nothing."""

    def before_instantiate_classes(self) -> None:
        """Settle nothing."""

    def instantiate_classes(self) -> None:
        """Build nothing."""

    def _set_seed(self) -> None:
        """Seed nothing."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Run nothing."""


def parse_commands(commands: Sequence[Sequence[str]]) -> list[Namespace]:
    """Parse some commands of one verb.

    Args:
        commands: The words behind `robust-tuning`, for each.

    Returns:
        The configuration of each.

    Raises:
        ConfigurationError: If one cannot be understood; names the key.
    """
    quiet_libraries()
    console = get_console()
    quiet, console.quiet = console.quiet, True  # where shipped files are found is no news here
    try:
        # Lightning's advice not to give words beside the process's own.
        warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
        parser = run_cli(list(commands[0]), _ParsingCLI).parser
        parsed = [parser.parse_args(with_shipped_configs(list(words))) for words in commands]
        return [config[config.subcommand] for config in parsed]
    finally:
        console.quiet = quiet
