"""What a job says of itself, and how it asks for the queue; `scontrol` is one of our own."""

import logging
import os
import signal
from pathlib import Path

import pytest
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.environments import SLURMEnvironment

from robust_tuning.callbacks.slurm import job_id, requeue, requeue_signal, was_requeued

JOB = {"SLURM_JOB_ID": "123", "SLURM_NTASKS": "1", "SLURM_JOB_NAME": "mine"}
ARRAY = {"SLURM_ARRAY_JOB_ID": "120", "SLURM_ARRAY_TASK_ID": "3"}


@pytest.fixture(autouse=True)
def _no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        (JOB, "123"),
        ({**JOB, **ARRAY}, "120_3"),
        ({**JOB, "SLURM_JOB_NAME": "bash"}, None),  # somebody sits before it
    ],
)
def test_the_name_of_a_job(
    environment: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert job_id() == expected


@pytest.mark.parametrize(("count", "expected"), [(None, False), ("0", False), ("2", True)])
def test_a_restart(count: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if count is not None:
        monkeypatch.setenv("SLURM_RESTART_COUNT", count)
    assert not was_requeued()
    for name, value in JOB.items():
        monkeypatch.setenv(name, value)
    assert was_requeued() is expected


def test_the_signal_is_the_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    def of(*plugins: SLURMEnvironment) -> signal.Signals | None:
        return requeue_signal(Trainer(accelerator="cpu", logger=False, plugins=list(plugins)))

    assert of() is None
    for name, value in JOB.items():
        monkeypatch.setenv(name, value)
    assert of() == signal.SIGUSR1
    assert of(SLURMEnvironment(requeue_signal=signal.SIGHUP)) == signal.SIGHUP
    assert of(SLURMEnvironment(auto_requeue=False)) is None


def scontrol(folder: Path, monkeypatch: pytest.MonkeyPatch, status: int = 0) -> Path:
    """A command of that name which notes its words."""
    notes = folder / "asked.txt"
    file = folder / "bin" / "scontrol"
    file.parent.mkdir(parents=True)
    file.write_text(f'#!/bin/sh\necho "$@" >> "{notes}"\necho no such job >&2\nexit {status}\n')
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(file.parent))
    for name, value in JOB.items():
        monkeypatch.setenv(name, value)
    return notes


def test_a_requeue_names_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    notes = scontrol(tmp_path, monkeypatch)
    requeue()
    assert notes.read_text() == "requeue 123\n"
    assert not caplog.records


@pytest.mark.parametrize("missing", [False, True])
def test_a_requeue_that_fails_says_how_to_go_on(
    missing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scontrol(tmp_path, monkeypatch, status=1)
    if missing:
        monkeypatch.setenv("PATH", "")
    with caplog.at_level(logging.WARNING):
        requeue()
    assert "scontrol requeue 123 failed" in caplog.text
    assert "--ckpt_path last" in caplog.text
    assert missing or "no such job" in caplog.text
