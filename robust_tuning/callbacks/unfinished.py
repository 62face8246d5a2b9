"""Evaluations that an interruption leaves unfinished: their verdicts wait in the run folder."""

import json
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from robust_tuning.attacks.journal import Journal
from robust_tuning.backbones.weights import hash_tensors
from robust_tuning.tuner import RobustTuner


class Unfinished:
    """The journals of a run, one for each process.

    Args:
        folder: The run folder.
        trainer: Whose process this is.
    """

    def __init__(self, folder: Path, trainer: Trainer) -> None:
        self._folder = folder / "journal"
        self._process = f"process-{trainer.global_rank}"

    def journal(self, tuner: RobustTuner, terms: Mapping[str, Any]) -> Journal:
        """The journal of an evaluation, with what an interrupted one of the same has written.

        Args:
            tuner: The model. Its weights are part of the name: a run that continues on a GPU may
                come to a step with others.
            terms: All else that decides a verdict, as plain values.
        """
        text = json.dumps([hash_tensors(tuner.backbone.trained_state()), terms], sort_keys=True)
        name = f"{sha256(text.encode()).hexdigest()[:16]}-{self._process}.jsonl"
        return Journal(self._folder / name)

    def forget(self) -> None:
        """Delete this process's journals, once a point holds what they say."""
        for file in self._folder.glob(f"*-{self._process}.jsonl"):
            file.unlink()
        with suppress(OSError):  # not there, or with the journals of others
            self._folder.rmdir()
