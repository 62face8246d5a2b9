"""Which part of a machine each worker has."""

import os
import shutil
import subprocess
from collections.abc import Sequence

from robust_tuning.errors import ConfigurationError


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [gpu.strip() for gpu in named.split(",") if gpu.strip() not in ("", "-1")]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=index", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.split() if done.returncode == 0 else []


def sets_of_gpus(gpus: Sequence[str], per_run: int) -> list[str]:
    """The GPUs of a machine, so many together for a run, as CUDA_VISIBLE_DEVICES names them.

    Args:
        gpus: From `visible_gpus`; none leaves everything on the CPU.
        per_run: How many a run has. Those that are left over are not used.

    Raises:
        ConfigurationError: If there are GPUs, but too few for a single run.

    >>> sets_of_gpus(["0", "1", "2", "3", "4"], 2)
    ['0,1', '2,3']
    """
    if gpus and len(gpus) < per_run:
        message = (
            f"--gpus_per_run {per_run}: this machine has {len(gpus)} ({', '.join(gpus)}), "
            f"give at most that many"
        )
        raise ConfigurationError(message)
    return [",".join(group) for group in zip(*[iter(gpus)] * per_run, strict=False)]


def share(worker: int, workers: int, sets: Sequence[str]) -> dict[str, str]:
    """The environment that gives a worker its part.

    A run has as many GPUs on one machine as on another, so that its batches do not depend on that.
    Where there are more workers than sets of GPUs, as many as equally possible share one.

    Args:
        worker: Its number.
        workers: How many there are on this machine.
        sets: From `sets_of_gpus`.

    Returns:
        To be added to the environment of its runs; what a user has set stays.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    environment = {"CUDA_VISIBLE_DEVICES": sets[worker % len(sets)]} if sets else {}
    if "OMP_NUM_THREADS" not in os.environ:  # else each would take every core
        environment["OMP_NUM_THREADS"] = str(max(1, (cores or 1) // workers))
    return environment
