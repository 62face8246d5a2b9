"""A sweep and its ledger, for tests that train nothing."""

from pathlib import Path
from typing import Any

from robust_tuning.sweeps.file import Sweep, to_sweep
from robust_tuning.sweeps.ledger import Ledger, begin_ledger
from robust_tuning.sweeps.storage import open_storage

COMMAND = ["robust-tuning", "fit", "${args}"]


def make_sweep(**changes: Any) -> Sweep:
    """Two strategies and two seeds."""
    content = {
        "method": "grid",
        "parameters": {
            "model.strategy": {"values": ["LoRA", "BitFit"]},
            "seed_everything": {"values": [0, 1]},
        },
        "command": COMMAND,
        **changes,
    }
    return to_sweep(content, "mine")


def make_ledger(folder: Path, sweep: Sweep | None = None, retries: int = 5) -> Ledger:
    """As whoever joins has it."""
    storage = open_storage(str(folder / "sweep.journal"))
    return begin_ledger(storage, sweep or make_sweep(), retries)
