"""A short run that several verbs work on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from robust_tuning.cli.main import main


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run with its points at steps 0, 1 and 2."""
    folder = tmp_path_factory.mktemp("runs") / "short"
    words = [
        *("fit", "--config", "configs/quickstart.yaml", "--run", str(folder)),
        *("--trainer.max_steps", "2", "--trainer.accelerator", "cpu", "--adversarial.n", "24"),
        *("--adversarial.eps", "[2/255, 6/255]", "--adversarial.schedule.steps", "[1]"),
        *("--trainer.enable_progress_bar", "false", "--wandb.mode", "disabled"),
    ]
    assert main(words) == 0
    return folder


def results(run: Path) -> set[Path]:
    return set((run / "evaluations").iterdir()) if (run / "evaluations").is_dir() else set()


@pytest.fixture
def evaluated(run: Path) -> Callable[..., Path]:
    """Evaluate the run and return the folder that this added."""

    def evaluate(*words: str) -> Path:
        before = results(run)
        assert main(["evaluate", str(run), "--device", "cpu", *words]) == 0
        (added,) = results(run) - before
        return added

    return evaluate
