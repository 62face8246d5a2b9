"""How results are printed."""

import datetime
import os
import statistics
from collections.abc import Sequence

import torch

from benchmarks.peers.contenders import version_of


def setting(packages: Sequence[str], device: torch.device) -> str:
    """When, where and with what."""
    where = f"{os.cpu_count()} CPU cores, {torch.get_num_threads()} thread"
    if device.type == "cuda":
        where = torch.cuda.get_device_name(device)
    versions = ", ".join(f"{name} {version_of(name) or 'not installed'}" for name in packages)
    return f"{datetime.datetime.now().astimezone().date()}; {where}; {versions}"


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Median, lowest and highest."""
    low, middle, high = (
        f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values))
    )
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def verdict(reached: bool) -> str:
    """In a word."""
    return "reached:" if reached else "MISSED:"
