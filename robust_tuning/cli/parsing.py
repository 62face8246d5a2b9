"""Parsing options, and saying in one line what is wrong with them."""

import difflib
import re
from typing import Any, NoReturn

from lightning.pytorch.cli import LightningArgumentParser

from robust_tuning.cli.shipped import find_config
from robust_tuning.errors import ConfigurationError


class OneLineParser(LightningArgumentParser):
    """A parser whose errors are one line for the command to print."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise what is wrong.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError(explain(message, ex)) from ex


def with_shipped_configs(words: list[str]) -> list[str]:
    """Replace configuration files that do not exist here by the shipped ones of that name.

    Raises:
        ConfigurationError: If a file is neither here nor shipped.
    """
    found = list(words)
    for place, word in enumerate(words):
        if word in ("--config", "-c") and place + 1 < len(words):
            found[place + 1] = _locate(words[place + 1])
        elif word.startswith("--config="):
            found[place] = f"--config={_locate(word.removeprefix('--config='))}"
    return found


def _locate(path: str) -> str:
    located = find_config(path)
    if str(located) != path:
        from robust_tuning.callbacks.progress import announce

        announce(f"{path}: the shipped configuration {located}")
    return str(located)


def explain(message: str, cause: Exception | None) -> str:
    """Shorten jsonargparse's message to what is wrong and what would be right."""
    return f"{' '.join(message.split())}"
