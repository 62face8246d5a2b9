"""One adversary's stages over all examples of an evaluation."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robust_tuning.attacks.adversary import Adversary, Stage, Survivors
from robust_tuning.attacks.base import AttackState
from robust_tuning.attacks.ledger import Ledger
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.outcomes import Audit
from robust_tuning.attacks.pool import Pool, Waiting


class Campaign:
    """Runs the stages of an adversary, each over those who survived the ones before.

    Args:
        model: The model under attack.
        adversary: Who attacks.
        slots: How many examples are attacked at a time.
        streams: Whether the first stage begins while examples still come in.
    """

    def __init__(self, model: Oracle, adversary: Adversary, slots: int, *, streams: bool) -> None:
        self.adversary = adversary
        self.key = adversary.threat.key
        self.ledger = Ledger()
        self.audit: Audit | None = None
        self._model = model
        self._slots = slots
        self._stages: tuple[Stage, ...] = ()
        self._streams = streams
        self._clean_margin = np.zeros(0)
        self.indices = np.zeros(0, dtype=np.int64)
        self._first: Pool | None = None
        self._audited: NDArray[np.int64] | None = None
        self._left_alone = 0

    def begin(self, num_classes: int) -> None:
        """Decide on the stages, once the number of classes is known.

        Raises:
            ConfigurationError: If an attack needs more classes.
        """
        if self.adversary.threat.eps:
            self._stages = self.adversary.stages(num_classes)
            self._first = self._pool(0) if self._streams else None

    @property
    def keeps_examples(self) -> bool:
        """Whether the examples are needed again after they have come in."""
        return bool(self._stages) and (self._first is None or len(self._stages) > 1)

    @property
    def leaves_some_alone(self) -> bool:
        """Whether a stage chooses among the survivors, with an audit of its own."""
        return any(stage.gate is not None for stage in self._stages)

    def register(
        self, correct: NDArray[np.bool_], margin: NDArray[np.float64], indices: NDArray[np.int64]
    ) -> None:
        """Open an account for each example of a batch.

        Args:
            correct: Whether it is classified correctly `(B,)`.
            margin: Lead of the label `(B,)`.
            indices: Identities `(B,)`.
        """
        self.ledger.extend(correct, margin)
        self._clean_margin = np.concatenate([self._clean_margin, margin])
        self.indices = np.concatenate([self.indices, indices])

    def attack(self, waiting: Waiting) -> Iterator[None]:
        """Attack the correctly classified examples of a batch, as far as slots fill.

        Yields:
            After each step.
        """
        if not self._stages:
            self.ledger.decided += len(waiting)
        elif self._first is not None:
            self._first.feed(waiting)
            yield from self._first.work(drain=False)

    def finish(
        self, kept: Sequence[Waiting], active: NDArray[np.bool_] | None = None
    ) -> Iterator[None]:
        """Carry out what is left.

        Args:
            kept: Every correctly classified example, if `keeps_examples`.
            active: Those to work on `(n,)`; None takes all that are not broken yet.

        Yields:
            After each step.
        """
        active = self.ledger.robust.copy() if active is None else active
        for number, stage in enumerate(self._stages):
            if number == 0 and self._first is not None:
                yield from self._first.work(drain=True)
                continue
            active = self._chosen(stage, active & self.ledger.robust)
            pool = self._pool(number)
            for waiting in kept:
                going = torch.from_numpy(active[waiting.positions.numpy()])
                pool.feed(waiting.rows(going.nonzero().flatten()))
            yield from pool.work(drain=True)
        self.ledger.decided = len(self.ledger.robust)
        if self._audited is not None:
            broken = int((~self.ledger.robust[self._audited]).sum())
            self.audit = Audit(self._left_alone, len(self._audited), broken)

    def leave_alone(self, left: NDArray[np.bool_], audited: NDArray[np.int64]) -> None:
        """Note that some examples keep their verdict, and which of them are attacked nevertheless.

        Args:
            left: Which are left alone, those audited among them `(n,)`.
            audited: Positions of a random sample of them.
        """
        self._left_alone += int(left.sum())
        before = () if self._audited is None else (self._audited,)
        self._audited = np.concatenate([*before, audited])

    def _pool(self, number: int) -> Pool:
        def on_end(positions: Tensor, state: AttackState) -> None:
            self.ledger.record(positions.numpy(), state, number)
            if number == len(self._stages) - 1:
                self.ledger.decided += int((~state.broken).sum())

        return Pool(self._model, self._stages[number].attack, self._slots, on_end, stage=number)

    def _chosen(self, stage: Stage, active: NDArray[np.bool_]) -> NDArray[np.bool_]:
        if stage.gate is None:
            return active
        places = np.flatnonzero(active)
        margin = self.ledger.margin[places]
        choice = stage.gate(Survivors(self.indices[places], self._clean_margin[places], margin))
        self.leave_alone(~choice.attacked, places[choice.audited & ~choice.attacked])
        chosen = np.zeros_like(active)
        chosen[places[choice.attacked | choice.audited]] = True
        return chosen
