"""Continuous batching: a fixed number of slots, refilled as soon as one is free."""

import logging
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from robust_tuning.attacks.base import Attack, AttackState, Targets
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.metrics import misclassified

log = logging.getLogger(__name__)

T = TypeVar("T")


class Slots:
    """How many examples are attacked at a time, and how many of them fit into one pass.

    Args:
        size: Examples at a time.
        device: Where they are attacked.

    Attributes:
        size: Examples at a time.
        device: Where they are attacked.
        fits: Examples per pass, as far as is known: all there are, until memory has run out.
    """

    def __init__(self, size: int, device: torch.device) -> None:
        self.size = size
        self.device = device
        self.fits = sys.maxsize

    def attempt(self, work: Callable[[slice], T], rows: int) -> list[T]:
        """Do something to all rows, in pieces that fit.

        Args:
            work: For some rows; without an effect where it fails.
            rows: How many there are.

        Returns:
            What came out, in order.

        Raises:
            torch.OutOfMemoryError: If even one row does not fit.
        """
        done: list[T] = []
        begin = 0
        while begin < rows:
            try:
                done.append(work(slice(begin, begin + self.fits)))
            except torch.OutOfMemoryError:
                if self.fits == 1:
                    raise
                self._halve(rows)
            else:
                begin += self.fits
        return done

    def _halve(self, rows: int) -> None:
        torch.cuda.empty_cache()
        before = min(self.fits, rows)
        self.fits = max(1, before // 2)
        log.warning(
            "out of memory with %d examples in one pass: going on with %d, which changes no "
            "result; a batch_size of %d avoids this",
            before,
            self.fits,
            self.fits,
        )


@dataclass(frozen=True)
class Waiting:
    """Correctly classified examples that wait for a slot.

    Attributes:
        images: `(B, C, H, W)`.
        labels: `(B,)`.
        logits: The model's answers to the images `(B, K)`.
        positions: Places in the evaluation `(B,)`, on the CPU.
        indices: Identities `(B,)`, on the CPU.
        starts: Where to begin `(B, C, H, W)`; None leaves that to the attack.
    """

    images: Tensor
    labels: Tensor
    logits: Tensor
    positions: Tensor
    indices: Tensor
    starts: Tensor | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def rows(self, chosen: Tensor | slice) -> "Waiting":
        """Some of them; `chosen` lies on the CPU, or where the images do."""
        return Waiting(
            self.images[chosen],
            self.labels[chosen],
            self.logits[chosen],
            self.positions[chosen],
            self.indices[chosen],
            None if self.starts is None else self.starts[chosen],
        )

    def to(self, device: torch.device | str) -> "Waiting":
        """The same examples on another device, but for what always lies on the CPU."""
        starts = None if self.starts is None else self.starts.to(device)
        return replace(
            self,
            images=self.images.to(device),
            labels=self.labels.to(device),
            logits=self.logits.to(device),
            starts=starts,
        )

    def starting_at(self, images: Tensor) -> "Waiting":
        """The same examples with starting points."""
        return replace(self, starts=images.to(self.images))


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
        slots: Slots,
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

    @property
    def free(self) -> int:
        """Slots for which no example waits."""
        return self._slots.size - len(self._positions) - sum(map(len, self._queue))

    def feed(self, waiting: Waiting) -> None:
        """Queue examples."""
        if len(waiting):
            self._queue.append(waiting)

    def advance(self) -> bool:
        """Take one step, however many slots are full; False where all are empty."""
        self._fill()
        if not len(self._positions):
            return False
        self._step()
        return True

    def work(self, *, drain: bool) -> Iterator[None]:
        """Step until the slots cannot be kept full, or with `drain` until all are empty.

        Yields:
            After each step.
        """
        while True:
            self._fill()
            if not len(self._positions) or (len(self._positions) < self._slots.size and not drain):
                return
            self._step()
            yield

    def _fill(self) -> None:
        while self._queue and len(self._positions) < self._slots.size:
            free = self._slots.size - len(self._positions)
            waiting = self._queue.popleft()
            if len(waiting) > free:
                self._queue.appendleft(waiting.rows(slice(free, None)))
                waiting = waiting.rows(slice(free))
            keys = [self._attack.example_key(int(i), self._stage) for i in waiting.indices]
            waiting = waiting.to(self._slots.device)
            fresh = self._attack.start(
                Targets(
                    waiting.images,
                    waiting.labels,
                    waiting.logits,
                    torch.tensor(keys, device=self._slots.device),
                    waiting.starts,
                )
            )
            self._state = fresh if self._state is None else self._state.joined(fresh)
            self._positions = torch.cat([self._positions, waiting.positions])

    def _step(self) -> None:
        if self._state is None:
            return
        state = self._advance(self._state)
        done = state.broken | state.spent
        # The one point of a step at which the host waits for the device.
        ended = done.nonzero().flatten()
        if len(ended):
            where = ended.cpu()
            self._on_end(self._positions[where], self._confirmed(state.rows(ended)))
            going = (~done).nonzero().flatten()
            state, self._positions = state.rows(going), self._positions[going.cpu()]
        self._state = state if len(state) else None

    def _advance(self, state: AttackState) -> AttackState:
        def step(rows: slice) -> AttackState:
            some = state if rows.stop - rows.start >= len(state) else state.rows(rows)
            return self._attack.step(self._model, some)

        first, *others = self._slots.attempt(step, len(state))
        for other in others:
            first = first.joined(other)
        return first

    def _confirmed(self, state: AttackState) -> AttackState:
        """Ask the model itself about what an approximation says is not broken."""
        if not self._model.approximates:
            return state
        logits = [
            self._model.logits(some) for some in torch.split(state.adversarial, self._slots.fits)
        ]
        wrong = misclassified(torch.cat(logits), state.labels)
        return replace(state, broken=state.broken | wrong)
