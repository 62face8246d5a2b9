"""Continuous batching: a fixed number of slots, refilled as soon as one is free."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from robust_tuning.attacks.base import Attack, AttackState, Targets
from robust_tuning.attacks.oracle import Oracle


@dataclass(frozen=True)
class Waiting:
    """Correctly classified examples that wait for a slot.

    Attributes:
        images: `(B, C, H, W)`.
        labels: `(B,)`.
        logits: The model's answers to the images `(B, K)`.
        positions: Places in the evaluation `(B,)`, on the CPU.
        indices: Identities `(B,)`, on the CPU.
    """

    images: Tensor
    labels: Tensor
    logits: Tensor
    positions: Tensor
    indices: Tensor

    def __len__(self) -> int:
        return len(self.positions)

    def rows(self, chosen: Tensor | slice) -> "Waiting":
        """Some of them; `chosen` lies on the CPU."""
        return Waiting(
            self.images[chosen],
            self.labels[chosen],
            self.logits[chosen],
            self.positions[chosen],
            self.indices[chosen],
        )


class Pool:
    """The slots of one attack, and the queue in front of them.

    An example leaves its slot the moment it is broken or its budget is spent.

    Args:
        model: The model under attack.
        attack: What is done to it.
        slots: How many examples are attacked at a time.
        on_end: Told of the examples that have left: their positions and final states.
        stage: Number of the attack among those of its adversary; each draws other random numbers.
    """

    def __init__(
        self,
        model: Oracle,
        attack: Attack,
        slots: int,
        on_end: Callable[[Tensor, AttackState], None],
        *,
        stage: int = 0,
    ) -> None:
        self._model = model
        self._attack = attack
        self._slots = slots
        self._on_end = on_end
        self._stage = stage
        self._queue: deque[Waiting] = deque()
        self._state: AttackState | None = None
        self._positions = torch.empty(0, dtype=torch.int64)

    def feed(self, waiting: Waiting) -> None:
        """Queue examples."""
        if len(waiting):
            self._queue.append(waiting)

    def work(self, *, drain: bool) -> Iterator[None]:
        """Step until the slots cannot be kept full, or with `drain` until all are empty.

        Yields:
            After each step.
        """
        while True:
            self._fill()
            if not len(self._positions) or (len(self._positions) < self._slots and not drain):
                return
            self._step()
            yield

    def _fill(self) -> None:
        while self._queue and len(self._positions) < self._slots:
            free = self._slots - len(self._positions)
            waiting = self._queue.popleft()
            if len(waiting) > free:
                self._queue.appendleft(waiting.rows(slice(free, None)))
                waiting = waiting.rows(slice(free))
            keys = [self._attack.example_key(int(i), self._stage) for i in waiting.indices]
            device = waiting.labels.device
            fresh = self._attack.start(
                Targets(
                    waiting.images,
                    waiting.labels,
                    waiting.logits,
                    torch.tensor(keys, device=device),
                )
            )
            self._state = fresh if self._state is None else self._state.joined(fresh)
            self._positions = torch.cat([self._positions, waiting.positions])

    def _step(self) -> None:
        if self._state is None:
            return
        state = self._attack.step(self._model, self._state)
        done = state.broken | state.spent
        # The one point of a step at which the host waits for the device.
        ended = done.nonzero().flatten()
        if len(ended):
            where = ended.cpu()
            self._on_end(self._positions[where], state.rows(ended))
            going = (~done).nonzero().flatten()
            state, self._positions = state.rows(going), self._positions[going.cpu()]
        self._state = state if len(state) else None
