"""The command of a run, put together from a sweep file's `command:` as W&B's agent does it."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robust_tuning.errors import ConfigurationError

_ARGS = "${args}"
_PROGRAMS = ("robust-tuning", "robust_tuning")
_OURS = ("--run", "--ckpt_path")


def training_words(
    command: Sequence[str], program: str | None, values: Mapping[str, Any]
) -> list[str]:
    """The words behind `robust-tuning`, beginning with `fit`.

    Args:
        command: As the sweep file has it.
        program: What `${program}` stands for.
        values: By key of the configuration.

    Raises:
        ConfigurationError: If a macro is unknown, or if something else than `robust-tuning fit` is
            run.
    """
    words = [expanded for word in command for expanded in _expanded(word, program, values)]
    places = [place for place, word in enumerate(words) if Path(word).name in _PROGRAMS]
    ours = words[places[0] + 1 :] if places else []
    if ours[:1] != ["fit"]:
        message = (
            f"command: {' '.join(command) or 'is missing'}; expected "
            "[robust-tuning, fit, --config, FILE, ${args}]"
        )
        raise ConfigurationError(message)
    for option in _OURS:
        if any(word.partition("=")[0] == option for word in ours):
            message = f"command: {option} is chosen for each run by the sweep, leave it out"
            raise ConfigurationError(message)
    return ours


def run_name(index: int, values: Mapping[str, Any]) -> str:
    """A folder's name: the number, which makes it unique, and what the run tries.

    >>> run_name(3, {"model.strategy": "LoRA", "model.lr": 0.001, "seed_everything": 1})
    '003-LoRA-lr0.001-seed1'
    """
    parts = [f"{index:03d}"]
    for key, value in values.items():
        if isinstance(value, str):
            text = Path(value).stem
        else:
            text = f"{key.rpartition('.')[2].partition('_')[0]}{value}"
        parts.append(re.sub(r"[^\w.]+", "_", text).strip("_"))
    return "-".join(parts)[:80]


def _expanded(word: str, program: str | None, values: Mapping[str, Any]) -> list[str]:
    if word == _ARGS:
        return [f"--{key}={value}" for key, value in values.items()]
    if word in ("${env}", "${interpreter}"):
        return []  # which Python runs is settled
    if word == "${program}":
        return [program] if program else []
    word = re.sub(r"\$\{envvar:([A-Z0-9_]*)\}", lambda m: os.environ.get(m[1], m[1]), word)
    if macro := re.search(r"\$\{.*?\}", word):
        message = f"command: {macro[0]} is not taken here, write {_ARGS}, which gives --KEY=VALUE"
        raise ConfigurationError(message)
    return [word]
