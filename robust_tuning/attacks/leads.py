"""What the answers to the clean images say about the model's last layer."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

# From here on the probability of the label, in float32, is exactly one.
_CERTAIN = 24 * float(np.log(2))


# What rounding may make of a logit, relative to the largest, when it is computed in another batch.
_ROUNDING = 1e-2


class Leads:
    """Collects what an attack by gradients has to fear from the logits.

    Attributes:
        random_model: Whether two passes over the same images gave different logits.
        batch_dependent: Whether the answer to an image depends on the images beside it.
    """

    def __init__(self) -> None:
        self._top: list[NDArray[np.float64]] = []
        self._certain: list[NDArray[np.bool_]] = []
        self._probabilities = True
        self.random_model = False
        self.batch_dependent = False

    def add(self, logits: Tensor, lead: Tensor) -> None:
        """Note the answers to a batch.

        Args:
            logits: `(B, K)`.
            lead: Of the label `(B,)`.
        """
        self._top.append(logits.amax(1).double().cpu().numpy())
        self._certain.append((lead > _CERTAIN).cpu().numpy())
        sums = logits.sum(1)
        adds_up = torch.isclose(sums, torch.ones_like(sums), atol=1e-3).all() & (logits >= 0).all()
        self._probabilities &= bool(adds_up)

    def compare(self, logits: Tensor, again: Tensor, alone: Tensor) -> None:
        """Look at three answers to the same images, of which the last saw only the first image.

        Args:
            logits: `(B, K)`.
            again: The same, once more.
            alone: `(1, K)`.
        """
        self.random_model = not torch.equal(logits, again)
        apart = (logits[:1] - alone).abs().amax() > _ROUNDING * logits[:1].abs().amax()
        self.batch_dependent = bool(apart) and not self.random_model

    @property
    def signs(self) -> tuple[bool, bool]:
        """What `compare` has found, for another to take over."""
        return self.random_model, self.batch_dependent

    @signs.setter
    def signs(self, found: tuple[bool, bool]) -> None:
        self.random_model, self.batch_dependent = found

    @property
    def saturated(self) -> int:
        """Examples whose label has a probability of exactly one in float32.

        There the cross-entropy's gradient loses the label's part, and beyond that all of it.
        """
        return int(np.concatenate(self._certain).sum())

    @property
    def clipped(self) -> int:
        """Examples that share the largest logit of all; 0 if it is that of a single one."""
        top = np.concatenate(self._top)
        same = int((top == top.max()).sum())
        return same if same > 1 else 0

    @property
    def probabilities(self) -> bool:
        """Whether every answer is a distribution: not negative, and summing to one."""
        return self._probabilities
