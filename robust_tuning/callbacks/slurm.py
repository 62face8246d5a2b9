"""What a job of SLURM has to know of itself to be put back into the queue."""

import logging
import os
import signal
import subprocess

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Trainer

log = logging.getLogger(__name__)


def requeue_signal(trainer: Trainer) -> signal.Signals | None:
    """By which signal SLURM asks for a requeue; None outside of SLURM or where that is off.

    As in Lightning: SIGUSR1, unless a `SLURMEnvironment` among the trainer's plugins says
    otherwise.
    """
    environment = trainer._accelerator_connector.cluster_environment  # no other place knows it
    if isinstance(environment, SLURMEnvironment) and environment.auto_requeue:
        return environment.requeue_signal
    return None


def job_id() -> str | None:
    """The job's name for `scontrol`, the same after a requeue; None outside of SLURM."""
    if not SLURMEnvironment.detect():
        return None
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):
        return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return os.environ.get("SLURM_JOB_ID")


def was_requeued() -> bool:
    """Whether this job has run before, and been put back into the queue."""
    return job_id() is not None and os.environ.get("SLURM_RESTART_COUNT", "0") != "0"


def requeue() -> None:
    """Put this job back into the queue; where that fails, say how to go on."""
    command = ["scontrol", "requeue", str(job_id())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        trouble = done.stderr.strip() or f"status {done.returncode}" if done.returncode else ""
    except OSError as error:
        trouble = str(error)
    if trouble:
        words = " ".join(command)
        log.warning("%s failed (%s): submit the job again with --ckpt_path last", words, trouble)
