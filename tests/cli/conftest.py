"""The command in this process: its status and what it prints, from an empty folder."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from robust_tuning.cli.main import main

# Three steps an epoch, points before the first, after the second and at the end.
QUICK = (
    *("fit", "--config", "configs/quickstart.yaml", "--trainer.accelerator", "cpu"),
    *("--trainer.max_epochs", "1", "--data.train_limit", "96", "--data.batch_size", "32"),
    *("--adversarial.n", "20", "--adversarial.eps", "[2/255, 8/255]"),
    *("--adversarial.schedule.steps", "[2]", "--trainer.enable_progress_bar", "false"),
    *("--adversarial.attack.steps", "5", "--adversarial.examples", "0"),
)


@dataclass(frozen=True)
class Answer:
    """What the command left behind."""

    status: int
    out: str
    err: str


Command = Callable[..., Answer]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """`robust-tuning WORDS...`, run in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    # They may still write to the standard error of the moment when they were made.
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("lightning") and isinstance(logger, logging.Logger):
            monkeypatch.setattr(logger, "handlers", [])

    def run(*words: str) -> Answer:
        capsys.readouterr()
        status = main(list(words))
        printed = capsys.readouterr()
        return Answer(status, printed.out, printed.err)

    return run


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
