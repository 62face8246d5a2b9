"""Fixtures for the whole suite: real data where there is some, and small models and benchmarks."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

# Few tests that take minutes: begun last, they would keep one process busy and the others waiting.
_FIRST = ("test_real_probes.py", "test_resume.py", "test_kill.py", "test_autoattack.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files."""
    items.sort(key=lambda item: item.path.name not in _FIRST)  # stable


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Have interrupts arrive where a shell has started the tests in the background."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real images and weights; without it the test is skipped."""
    folder = os.environ.get("ROBUST_TUNING_REAL_DATA")
    if not folder:
        pytest.skip("real data: set ROBUST_TUNING_REAL_DATA to its folder")
    return Path(folder)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test talks to Weights & Biases unless it asks to, and none to a model hub."""
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("WANDB_SILENT", "true")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for a short run."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if shutil.which("mount") is None:
        pytest.skip("there is no `mount` to make a small disk with")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
