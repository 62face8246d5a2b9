"""Commands of `robust-tuning fit`, checked without running them."""

from collections.abc import Sequence

from rich import get_console

from robust_tuning.cli.parsing import with_shipped_configs
from robust_tuning.cli.train import TrainingCLI, run_cli


class _ParsingCLI(TrainingCLI):
    """Parses the command, builds nothing and runs nothing."""

    def before_instantiate_classes(self) -> None:
        """Settle nothing."""

    def instantiate_classes(self) -> None:
        """Build nothing."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Run nothing."""


def check_words(commands: Sequence[Sequence[str]]) -> None:
    """Parse some commands.

    Args:
        commands: The words behind `robust-tuning`, for each.

    Raises:
        ConfigurationError: If one cannot be understood; names the key.
    """
    console = get_console()
    quiet, console.quiet = console.quiet, True  # where shipped files are found is no news here
    try:
        cli = run_cli(list(commands[0]), _ParsingCLI)
        for words in commands[1:]:
            cli.parser.parse_args(with_shipped_configs(list(words)))
    finally:
        console.quiet = quiet
