"""Which part of a machine each worker has."""

import os
import shutil
import subprocess


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


def share(worker: int, workers: int, gpus: list[str]) -> dict[str, str]:
    """The environment that gives a worker its part.

    A run has one GPU, whichever machine it is on, so that its batches do not depend on that. Where
    there are more workers than GPUs, as many as equally possible share one.

    Args:
        worker: Its number.
        workers: How many there are on this machine.
        gpus: From `visible_gpus`.

    Returns:
        To be added to the environment of its runs; what a user has set stays.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    environment = {"CUDA_VISIBLE_DEVICES": gpus[worker % len(gpus)]} if gpus else {}
    if "OMP_NUM_THREADS" not in os.environ:  # else each would take every core
        environment["OMP_NUM_THREADS"] = str(max(1, (cores or 1) // workers))
    return environment
