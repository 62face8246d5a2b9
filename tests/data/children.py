"""Processes of their own for what a test cannot do to itself: dying, and running out of room."""

import subprocess
import sys
import textwrap
from collections.abc import Sequence

# The package above the modules in question loads torch, which takes longer than any of these tests.
PRELUDE = """
import logging, os, resource, sys, types
from pathlib import Path
import robust_tuning
package = types.ModuleType("robust_tuning.data")
package.__path__ = [os.path.join(robust_tuning.__path__[0], "data")]
sys.modules["robust_tuning.data"] = package
from robust_tuning.data.preparation import prepare
from robust_tuning.data.remote import RemoteFile
from robust_tuning.errors import DataError
logging.basicConfig(level=logging.INFO)

def prepare_from(root, url, size, md5, download=True):
    file = RemoteFile(
        "data.tgz", url, int(size), md5, unpacks=("images", "lists"), max_unpacked=1 << 30
    )
    prepare(Path(root), [file], download=download)
"""


def start(code: str, *words: object, before: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Start python on some code; `words` become `sys.argv[1:]`, `before` stands before python."""
    program = PRELUDE + textwrap.dedent(code)
    return subprocess.Popen(
        [*before, sys.executable, "-c", program, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(code: str, *words: object, before: Sequence[str] = ()) -> tuple[int, str, str]:
    """Like `start`, to the end.

    Returns:
        Exit status (negative: the signal that killed it), stdout and stderr.
    """
    child = start(code, *words, before=before)
    out, err = child.communicate(timeout=60)
    return child.returncode, out, err
