"""One adversary's stages over all examples of an evaluation."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robust_tuning.attacks.adversary import Adversary, Stage, Survivors
from robust_tuning.attacks.audits import Audit, Stratum
from robust_tuning.attacks.base import AttackState
from robust_tuning.attacks.examples import AdversarialExamples, Collection, Kept
from robust_tuning.attacks.exchange import Exchange
from robust_tuning.attacks.journal import Journal, Verdicts
from robust_tuning.attacks.ledger import Ledger
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.pool import Pool, Slots, Waiting
from robust_tuning.attacks.stock import Stock
from robust_tuning.processes import Processes


class Campaign:
    """Runs the stages of an adversary, each over those who survived the ones before.

    Args:
        model: The model under attack.
        adversary: Who attacks.
        slots: How many examples are attacked at a time.
        streams: Whether the first stage begins while examples still come in.
        warm: Starting points of an earlier evaluation.
        keep: As what adversarial images are kept; None keeps none.
        journal: Verdicts known from before; not heeded where images are to be kept.
        processes: Who works on the examples.
    """

    def __init__(
        self,
        model: Oracle,
        adversary: Adversary,
        slots: Slots,
        *,
        streams: bool,
        warm: AdversarialExamples | None = None,
        keep: Kept | None = None,
        journal: Journal | None = None,
        processes: Processes = Processes(),  # noqa: B008  this one alone
    ) -> None:
        self.adversary = adversary
        self.key = adversary.threat.key
        self.ledger = Ledger()
        self.num_classes = 0
        self.stages: tuple[Stage, ...] = ()
        self.indices = np.zeros(0, dtype=np.int64)
        self.collection = Collection(adversary.threat, keep) if keep else None
        self._model = model
        self._slots = slots
        self._streams = streams and warm is None
        self._warm = warm
        self._journal = journal
        self.clean_margin = np.zeros(0)
        self._first: Pool | None = None
        self._shortcuts: list[tuple[int, NDArray[np.int64]]] = []
        self._forced = np.zeros(0, dtype=np.int64)
        self._exchange = Exchange(processes, self.key)

    def begin(self, num_classes: int) -> None:
        """Decide on the stages, once the number of classes is known.

        Raises:
            ConfigurationError: If an attack needs more classes.
        """
        self.num_classes = num_classes
        if self.adversary.threat.eps:
            self.stages = self.adversary.stages(num_classes)
            self._first = self._pool(0) if self._streams else None

    @property
    def keeps_examples(self) -> bool:
        """Whether the examples are needed again after they have come in."""
        return bool(self.stages) and (self._first is None or len(self.stages) > 1)

    @property
    def measures_distance(self) -> bool:
        """Whether the ledger holds distances."""
        return any(stage.attack.measures_distance for stage in self.stages)

    @property
    def decided(self) -> int:
        """How many verdicts stand, those of other processes a moment ago among them."""
        return self.ledger.decided + self._exchange.decided

    @property
    def robust_share(self) -> float:
        """Share of the examples seen that nothing has broken yet."""
        if not len(self.indices):
            return 1.0
        return float(self.ledger.robust.mean()) - self._exchange.broken / len(self.indices)

    @property
    def audit(self) -> Audit | None:
        """What shortcuts were taken, and what their samples say; None without any."""
        robust = self.ledger.robust
        strata = (
            Stratum(left, len(sample), int((~robust[sample]).sum()))
            for left, sample in self._shortcuts
        )
        return Audit(tuple(strata)) if self._shortcuts else None

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
        self.clean_margin = np.concatenate([self.clean_margin, margin])
        self.indices = np.concatenate([self.indices, indices])

    def attack(self, waiting: Waiting) -> Iterator[None]:
        """Attack the correctly classified examples of a batch, as far as slots fill.

        Yields:
            After each step.
        """
        if not self.stages:
            self.ledger.decided += len(waiting)
        elif self._first is not None:
            self._feed(self._first, 0, waiting)
            yield from self._first.work(drain=False)

    def finish(self, stock: Stock, active: NDArray[np.bool_] | None = None) -> Iterator[None]:
        """Carry out what is left.

        Args:
            stock: Every correctly classified example, if `keeps_examples`.
            active: Those to work on `(n,)`; None takes all that are not broken yet.

        Yields:
            After each step.
        """
        active = self.ledger.robust.copy() if active is None else active
        yield from self._from_warm_starts(stock, active)
        for number, stage in enumerate(self.stages):
            if number == 0 and self._first is not None:
                yield from self._first.work(drain=True)
                continue
            active = self._chosen(stage, active & self.ledger.robust)
            yield from self._work(number, self._pool(number), stock, active)
        self.ledger.decided = len(self.ledger.robust)

    def read_off(self, other: "Campaign") -> None:
        """Take the verdicts from the distances that a search has found at another radius."""
        within = other.ledger.distance <= self.adversary.threat.eps
        self.ledger.take_over(other.ledger, within)
        if self.collection is not None and other.collection is not None:
            self.collection.copy(other.collection)

    def leave_alone(self, left: NDArray[np.bool_], audited: NDArray[np.int64]) -> None:
        """Note that some examples keep their verdict, and which of them are attacked nevertheless.

        Args:
            left: Which are left alone, those audited among them `(n,)`.
            audited: Positions of a random sample of them; every stage works on these.
        """
        self._shortcuts.append((int(left.sum()), audited))
        self._forced = np.concatenate([self._forced, audited])

    def _from_warm_starts(self, stock: Stock, active: NDArray[np.bool_]) -> Iterator[None]:
        """The first attack that can, from the points where the search ended the last time."""
        able = [stage.attack for stage in self.stages if stage.attack.takes_starts]
        if self._warm is None or not able:
            return
        # A number of its own, so that the other stages draw what they draw without it.
        number = len(self.stages)
        pool = Pool(self._model, able[0], self._slots, self._on_end(number), stage=number)
        known = np.isin(self.indices, self._warm.indices)
        yield from self._work(number, pool, stock, active & known, self._warm)

    def _work(
        self,
        number: int,
        pool: Pool,
        stock: Stock,
        active: NDArray[np.bool_],
        warm: AdversarialExamples | None = None,
    ) -> Iterator[None]:
        def feed(waiting: Waiting) -> None:
            if warm is not None:
                waiting = waiting.starting_at(warm.of(waiting.indices))
            self._feed(pool, number, waiting)

        for _ in stock.work(active, feed, pool):
            self._exchange.keep_up()
            yield
        for places, verdicts in self._exchange.conclude():
            self._enter(places, verdicts, number)
            if self.collection is not None:
                self.collection.drop(places)

    def _pool(self, number: int) -> Pool:
        attack = self.stages[number].attack
        return Pool(self._model, attack, self._slots, self._on_end(number), stage=number)

    def _feed(self, pool: Pool, number: int, waiting: Waiting) -> None:
        """Queue the examples whose verdict the journal does not know."""
        if self._journal is None or self.collection is not None:
            pool.feed(waiting)
            return
        indices = waiting.indices.numpy()
        known = self._journal.known(self.key, number, indices)
        if known.any():
            places = waiting.positions.numpy()[known]
            verdicts = self._journal.recall(self.key, number, indices[known])
            self._enter(places, verdicts, number)
            # Another process may not know: its journal is another file.
            self._exchange.note(places, verdicts, final=number == len(self.stages) - 1)
        pool.feed(waiting.rows(torch.from_numpy(~known).nonzero().flatten()))

    def _on_end(self, number: int) -> Callable[[Tensor, AttackState], None]:
        def on_end(positions: Tensor, state: AttackState) -> None:
            places, verdicts = positions.numpy(), Verdicts.of(state)
            self._enter(places, verdicts, number)
            self._exchange.note(places, verdicts, final=number == len(self.stages) - 1)
            if self._journal is not None:
                self._journal.enter(self.key, number, self.indices[places], verdicts)
            if self.collection is not None:
                self.collection.take(positions, state)

        return on_end

    def _enter(self, places: NDArray[np.int64], verdicts: Verdicts, number: int) -> None:
        self.ledger.record(places, verdicts, number)
        if number == len(self.stages) - 1:
            self.ledger.decided += int((~verdicts.broken).sum())

    def _chosen(self, stage: Stage, active: NDArray[np.bool_]) -> NDArray[np.bool_]:
        if stage.gate is None:
            return active
        forced = np.zeros_like(active)
        forced[self._forced] = True
        places = np.flatnonzero(active & ~forced)
        margin = self.ledger.margin[places]
        choice = stage.gate(Survivors(self.indices[places], self.clean_margin[places], margin))
        left = np.zeros_like(active)
        left[places[~choice.attacked]] = True
        chosen = active & forced
        self.leave_alone(left, places[choice.audited & ~choice.attacked])
        chosen[places[choice.attacked | choice.audited]] = True
        return chosen
