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
        self._rank = trainer.global_rank

    def journal(self, tuner: RobustTuner, terms: Mapping[str, Any]) -> Journal:
        """The journal of an evaluation, with what an interrupted one of the same has written.

        Args:
            tuner: The model. Its weights are part of the name: a run that continues on a GPU may
                come to a step with others.
            terms: All else that decides a verdict, as plain values.
        """
        text = json.dumps([hash_tensors(tuner.backbone.trained_state()), terms], sort_keys=True)
        name = sha256(text.encode()).hexdigest()[:16]
        own = self._folder / f"{name}-process-{self._rank}.jsonl"
        others = [path for path in sorted(self._folder.glob(f"{name}-*")) if path != own]
        return Journal(own, others)

    def forget(self) -> None:
        """Delete all journals, once a point holds what they say; the first process does so."""
        if self._rank:
            return
        for file in self._folder.glob("*-process-*.jsonl"):
            file.unlink(missing_ok=True)
        with suppress(OSError):  # not there, or not empty
            self._folder.rmdir()
