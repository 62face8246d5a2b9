"""What an evaluation costs: passes in examples, and seconds."""

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass
class Tally:
    """Passes so far, of a model and of every copy that an attack makes of it."""

    forth: int = 0
    back: int = 0

    def __deepcopy__(self, _: dict[int, Any]) -> "Tally":
        return self


class Counted(nn.Module):
    """A model whose passes are counted, whoever calls it or a copy of it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.tally = Tally()

    @property
    def forth(self) -> int:
        """Examples that went forward."""
        return self.tally.forth

    @property
    def back(self) -> int:
        """Examples whose gradients came back."""
        return self.tally.back

    @property
    def passes(self) -> int:
        """Forth and back: the unit of every comparison here."""
        return self.forth + self.back

    def forward(self, images: Tensor) -> Tensor:
        """Classify, and take note."""
        self.tally.forth += len(images)
        logits: Tensor = self.model(images)
        if logits.requires_grad:
            logits.register_hook(self._note)  # type: ignore[no-untyped-call]  # torch's
        return logits

    def _note(self, gradients: Tensor) -> None:
        self.tally.back += len(gradients)


def clock(device: torch.device) -> float:
    """Seconds of this process's CPU time, or on a GPU of synchronised wall time."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()


def gradient_budget(steps: int) -> int:
    """Least passes of an example that survives so many gradient steps: the last needs no way back.

    >>> gradient_budget(20)
    41
    """
    return 2 * steps + 1


def autoattack_budget(classes: int) -> int:
    """Least passes of an example that survives AutoAttack's standard version.

    APGD takes 101 gradients on the cross-entropy and 101 for each target, FAB 100 forth and back
    for each (if the pass that judges a point gave the next gradient), Square 5,001 queries.

    >>> autoattack_budget(10)
    8839
    """
    targets = min(9, classes - 1)
    return 202 + targets * (202 + 200) + 5001


def lower_bound(robust: int, broken: int, misclassified: int, budget: int) -> int:
    """Least passes of an evaluation: what any code must take that tells these three apart.

    A robust example takes the whole budget, a broken one a pass to see that it is classified
    correctly and another to see that it no longer is, a misclassified one the first of these.
    """
    return robust * budget + broken * 2 + misclassified
