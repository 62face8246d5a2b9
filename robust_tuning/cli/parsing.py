"""Parsing options, and saying in one line what is wrong with them."""

import difflib
import inspect
import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, NoReturn

import yaml  # type: ignore[import-untyped]  # has no annotations
from lightning.pytorch.cli import LightningArgumentParser
from rich import get_console

from robust_tuning.cli.plugins import known_plugins
from robust_tuning.cli.shipped import find_config
from robust_tuning.errors import ConfigurationError, RobustTuningError


class OneLineParser(LightningArgumentParser):
    """A parser that takes no abbreviations, and whose errors are one line for the command."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  jsonargparse's own
        # An abbreviation would make a mistyped option a silent one.
        super().__init__(*args, allow_abbrev=False, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise what is wrong.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError(explain(message, ex, _options(self))) from ex


def with_shipped_configs(words: list[str]) -> list[str]:
    """Replace configuration files that do not exist here by the shipped ones of that name.

    Raises:
        ConfigurationError: If a file is neither here nor shipped, or holds no settings.
    """
    found = list(words)
    for place, word in enumerate(words):
        if word in ("--config", "-c") and place + 1 < len(words):
            found[place + 1] = _locate(words[place + 1])
        elif word.startswith("--config="):
            found[place] = f"--config={_locate(word.removeprefix('--config='))}"
    return found


def _locate(path: str) -> str:
    located = str(find_config(path))
    try:
        content = yaml.safe_load(Path(located).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        message = f"--config {path} is no YAML file: {' '.join(str(error).split())}"
        raise ConfigurationError(message) from error
    if not isinstance(content, dict):
        message = f"--config {path} holds no settings, expected sections such as model: and data:"
        raise ConfigurationError(message)
    if located != path:
        get_console().print(f"{path}: the shipped {located}", highlight=False, soft_wrap=True)
    return located


def explain(message: str, cause: BaseException | None, options: set[str]) -> str:
    """Shorten jsonargparse's message to what is wrong and what would be right.

    Args:
        message: What jsonargparse says, over several lines.
        cause: The exception behind it; one of ours has the better message.
        options: Options that the parser knows, such as `--model.lr`.

    Returns:
        One line that names the key, what was got, and the alternatives.
    """
    text = " ".join(message.split())
    key = ".".join(re.findall(r'Parser key "([^"]+)":', text))
    where = f"--{key}: " if key else ""
    if ours := _own_error(cause):
        # Plugins are parsed by a parser of their own, which does not know below which key.
        return f"--{key}.{ours[2:]}" if key and ours.startswith("--") else where + ours
    if unknown := re.search(r"Expected a dot import path string: (\S+)", text):
        return f"{where}unknown name {unknown[1]!r}{_alternatives(unknown[1], known_plugins(key))}"
    if base := re.search(r"but is abstract.*Given value: (\S+)", text):
        name = base[1]
        return f"{where}{name!r} is not a whole class{_alternatives(name, known_plugins(key))}"
    if odd := re.search(r"Option '([^']+)' is not accepted", text):
        known = sorted(o.removeprefix("--") for o in options if o not in ("--help", "--config"))
        return f"{where}unknown setting {odd[1]!r}{_alternatives(odd[1], known)}"
    if odd := re.search(r"(?:unrecognized arguments: --|not accept option ')([^\s='{]+)", text):
        names = sorted(option.removeprefix("--") for option in options)
        near = difflib.get_close_matches(odd[1].rstrip("'"), names, n=4, cutoff=0.5)
        hint = f"; similar: {', '.join(near)}" if near else "; see --help"
        return f"unknown key {odd[1].rstrip(chr(39))!r}{hint}"
    if known_plugins(key) and (single := re.search(r"<class 'list'>.*Given value: (\S+)$", text)):
        known = known_plugins(key)
        near = difflib.get_close_matches(single[1], known, n=1, cutoff=0.6)
        example = near[0] if near else known[0]
        return (
            f"{where}got {single[1]!r}, expected a list: --{key}+={example} adds one; "
            f"known: {', '.join(known)}"
        )
    if choice := re.search(r"Expected a typing\.Literal\[([^\]]+)\]", text):
        got = re.search(r"(?:Got value|Given value): (.+)$", text)
        number = " or a whole number" if "Expected a <class 'int'>" in text else ""
        return f"{where}got {got[1] if got else '?'}, expected one of {choice[1]}{number}"
    if simple := re.search(r"Expected a <class '(\w+)'>\. Got value: (.+)$", text):
        return f"{where}got {simple[2]!r}, expected {simple[1]}"
    if text.startswith("the following arguments are required"):
        return f"{text.replace('fit.', '--')}; begin with --config configs/quickstart.yaml"
    return where + re.sub(r'^(Parser key "[^"]+": ?)+', "", text)


def _own_error(cause: BaseException | None) -> str | None:
    """The message of the first error of ours in a chain of causes."""
    while cause is not None:
        if isinstance(cause, RobustTuningError):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    return None


def _options(parser: ArgumentParser) -> set[str]:
    """Every option of a parser and of its subcommands'."""
    found: set[str] = set()
    for action in parser._actions:
        found |= {option for option in action.option_strings if option.startswith("--")}
        if isinstance(action.choices, dict):
            found |= {o for sub in action.choices.values() for o in _options(sub)}
    return found


def _alternatives(got: str, known: list[str]) -> str:
    if not known:
        return "; expected the import path of a class"
    near = difflib.get_close_matches(got, known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"; {hint}known: {', '.join(known)}"


def explain_instantiation(error: Exception) -> str:
    """One line for an error that a class raised while it was built from the configuration."""
    ours = _own_error(error)
    if ours:
        return ours
    reasons = re.findall(r"^\s*- (.+)$", str(error), flags=re.MULTILINE)
    telling = [r for r in reasons if "NoneType" not in r and not r.startswith("Expected a path")]
    return telling[0] if telling else " ".join(inspect.cleandoc(str(error)).split())
