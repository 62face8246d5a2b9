"""The command line parsed as `fit` does it, and nothing built."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from jsonargparse import Namespace

from robust_tuning.cli import train


class ParsedError(BaseException):
    """Carries the configuration past everything that handles errors."""


@contextmanager
def parsing_only() -> Iterator[None]:
    def stop(cli: Any) -> None:
        raise ParsedError(cli.config[cli.subcommand])

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(train.TrainingCLI, "instantiate_classes", stop)
        yield


def parse(*words: str) -> Namespace:
    """The resolved configuration of `robust-tuning WORDS`."""
    with parsing_only(), pytest.raises(ParsedError) as parsed:
        train.main(list(words))
    config: Namespace = parsed.value.args[0]
    return config
