"""Where the searches of an evaluation ended, for the next one to begin there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from robust_tuning.attacks import AdversarialExamples
from robust_tuning.types import Split


@dataclass
class Memory:
    """Images by split and threat, in half precision: starting points need no more.

    They are rounded when they come in, so that a run which was interrupted, and whose checkpoint
    holds the same, goes on as it would have without.
    """

    _kept: dict[str, dict[str, AdversarialExamples]] = field(default_factory=dict)

    def recalled(self, split: Split) -> Mapping[str, AdversarialExamples]:
        """What was remembered of a split, by threat; empty at first."""
        return self._kept.get(split, {})

    def remember(self, split: Split, found: Mapping[str, AdversarialExamples]) -> None:
        """Keep what an evaluation ended with, in place of what the one before did."""
        self._kept[split] = {
            threat: AdversarialExamples(
                examples.indices,
                examples.labels,
                examples.images.half(),
                examples.broken,
                examples.distance,
            )
            for threat, examples in found.items()
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything as tensors, which a checkpoint may hold."""
        return {
            split: {
                threat: {
                    "indices": torch.from_numpy(examples.indices),
                    "labels": torch.from_numpy(examples.labels),
                    "images": examples.images,
                }
                for threat, examples in threats.items()
            }
            for split, threats in self._kept.items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self._kept = {
            split: {
                threat: AdversarialExamples(
                    kept["indices"].cpu().numpy(),
                    kept["labels"].cpu().numpy(),
                    kept["images"].cpu(),
                    np.zeros(len(kept["indices"]), dtype=bool),
                    np.zeros(len(kept["indices"])),
                )
                for threat, kept in threats.items()
            }
            for split, threats in state.items()
        }
