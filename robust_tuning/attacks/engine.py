"""Running attacks over examples: continuous batching.

Each attack has a fixed number of slots. An example leaves its slot the moment a forward pass
misclassifies it or its budget is spent, and the next one in the queue takes its place; examples
that are misclassified unperturbed never enter. A verdict therefore costs what the example needs.
"""

import time
from collections.abc import Callable, Iterable, Sequence, Sized
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from robust_tuning.attacks.base import Attack, AttackState
from robust_tuning.attacks.isolation import undisturbed
from robust_tuning.attacks.outcomes import Diagnostics, Outcomes, Progress
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.types import Batch


def evaluate(
    model: nn.Module,
    examples: Iterable[Batch],
    attacks: Attack | Sequence[Attack],
    *,
    batch_size: int = 64,
    total: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcomes:
    """Find which examples a model classifies correctly, and which of those an attack breaks.

    Args:
        model: `(B, C, H, W)` images in [0, 1] to logits `(B, K)`. It is run in evaluation mode with
            frozen parameters and left as found.
        examples: Batches on any device, such as a data loader's. They are read once, as needed.
        attacks: One or several, with different threats.
        batch_size: Slots per attack. It changes the speed, not the result.
        total: Number of examples, for the progress; by default what `examples.dataset` says.
        on_progress: Called after each pass.

    Returns:
        The verdicts in the order of the examples. With `eps = 0`, `robust` equals `clean_correct`.

    Raises:
        ConfigurationError: If two attacks have the same threat, or `batch_size` is not positive.
        DataError: If there are no examples, if an image is not float32 in [0, 1] or a label not a
            class of the model, or if the logits are not finite.
    """
    attacks = [attacks] if isinstance(attacks, Attack) else list(attacks)
    _check(attacks, batch_size)
    began = time.perf_counter()
    with undisturbed(model):
        run = _Evaluation(model, attacks, batch_size, total or _size(examples), on_progress)
        for batch in examples:
            run.take(batch)
        return run.finish(began)


def _check(attacks: Sequence[Attack], batch_size: int) -> None:
    keys = [attack.threat.key for attack in attacks]
    if len(set(keys)) < len(keys):
        message = f"two attacks have the same threat: {', '.join(keys)}; evaluate them separately"
        raise ConfigurationError(message)
    if batch_size < 1:
        message = f"batch_size is {batch_size}, expected at least 1"
        raise ConfigurationError(message)


def _size(examples: Iterable[Batch]) -> int | None:
    dataset = getattr(examples, "dataset", None)
    return len(dataset) if isinstance(dataset, Sized) else None


class _Evaluation:
    """The clean pass over each batch, and a pool of slots per attack fed from it."""

    def __init__(
        self,
        model: nn.Module,
        attacks: Sequence[Attack],
        batch_size: int,
        total: int | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.model = model
        self.device = next((p.device for p in model.parameters()), torch.device("cpu"))
        self.total = None if total is None else total * max(1, len(attacks))
        self.on_progress = on_progress
        self.pools = [_Pool(self, attack, batch_size) for attack in attacks]
        self.indices: list[Tensor] = []
        self.labels: list[Tensor] = []
        self.correct: list[Tensor] = []
        self.forward = self.backward = self.count = 0
        self.random_model = False

    def take(self, batch: Batch) -> None:
        """Classify a batch and let the attacks work on what was right, as far as slots fill."""
        if not len(batch.labels):
            return
        # A clone, because tensors made in inference mode carry no gradients.
        images = batch.images.to(self.device).clone()
        labels = batch.labels.to(self.device).clone()
        correct = self._classify(images, labels)
        positions = torch.arange(self.count, self.count + len(labels))
        self.count += len(labels)
        self.indices.append(batch.indices.cpu())
        self.labels.append(labels.cpu())
        self.correct.append(correct.cpu())
        chosen = correct.nonzero().flatten()
        where = chosen.cpu()
        for pool in self.pools:
            pool.feed(images[chosen], labels[chosen], positions[where], batch.indices.cpu()[where])
            pool.work(drain=False)
        self.report()

    def finish(self, began: float) -> Outcomes:
        """Empty the slots and collect the verdicts."""
        for pool in self.pools:
            pool.work(drain=True)
        if not self.count:
            message = "there are no examples to evaluate"
            raise DataError(message)
        correct = torch.cat(self.correct).numpy()
        return Outcomes(
            indices=torch.cat(self.indices).numpy(),
            labels=torch.cat(self.labels).numpy(),
            clean_correct=correct,
            robust={p.attack.threat.key: p.verdicts.robust(correct) for p in self.pools},
            steps={p.attack.threat.key: p.verdicts.steps_of(self.count) for p in self.pools},
            diagnostics={p.attack.threat.key: p.diagnostics() for p in self.pools},
            forward=self.forward,
            backward=self.backward,
            seconds=time.perf_counter() - began,
        )

    def report(self) -> None:
        """Tell the caller how far things are."""
        if self.on_progress is None:
            return
        wrong = self.count - sum(int(c.sum()) for c in self.correct)
        robust = {
            p.attack.threat.key: 1 - (wrong + p.verdicts.count - p.verdicts.survivors) / self.count
            for p in self.pools
        }
        done = sum(wrong + p.verdicts.count for p in self.pools) if self.pools else self.count
        self.on_progress(Progress(done, self.total, robust))

    def _classify(self, images: Tensor, labels: Tensor) -> Tensor:
        _check_images(images)
        with torch.no_grad():
            logits = self.model(images)
            if not self.count:
                # Once per evaluation: a second pass over the first batch exposes randomness.
                self.random_model = not torch.equal(logits, self.model(images))
                self.forward += len(images)
        self.forward += len(images)
        _check_logits(logits, labels)
        predictions: Tensor = logits.argmax(1)
        return predictions == labels


class _Pool:
    """The slots of one attack, and the queue in front of them."""

    def __init__(self, run: _Evaluation, attack: Attack, slots: int) -> None:
        self.run = run
        self.attack = attack
        self.slots = slots
        self.queue: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        self.state: AttackState | None = None
        self.positions = torch.empty(0, dtype=torch.int64)
        self.verdicts = _Verdicts()

    def feed(self, images: Tensor, labels: Tensor, positions: Tensor, indices: Tensor) -> None:
        """Queue correctly classified examples; without a radius there is nothing to search."""
        if self.attack.threat.eps == 0:
            self.verdicts.survive(positions)
        elif len(labels):
            self.queue.append((images, labels, positions, indices))

    def work(self, *, drain: bool) -> None:
        """Step until the slots cannot be kept full, or with `drain` until all are empty."""
        while True:
            self._fill()
            if not len(self.positions) or (len(self.positions) < self.slots and not drain):
                return
            self._step()
            self.run.report()

    def diagnostics(self) -> Diagnostics:
        """The signs collected on the way."""
        seen = self.verdicts
        return Diagnostics(seen.count, seen.zero, seen.bad, self.run.random_model)

    def _fill(self) -> None:
        while self.queue and len(self.positions) < self.slots:
            free = self.slots - len(self.positions)
            queued = self.queue.pop(0)
            images, labels, positions, indices = (part[:free] for part in queued)
            if len(queued[1]) > free:
                rest = tuple(part[free:] for part in queued)
                self.queue.insert(0, (rest[0], rest[1], rest[2], rest[3]))
            keys = [self.attack.example_key(int(index)) for index in indices]
            fresh = self.attack.start(images, labels, keys)
            self.state = fresh if self.state is None else self.state.joined(fresh)
            self.positions = torch.cat([self.positions, positions])

    def _step(self) -> None:
        if self.state is None:
            return
        state = self.attack.step(self.run.model, self.state)
        self.run.forward += len(state)
        self.run.backward += len(state)
        done = state.broken | state.spent
        ended = done.nonzero().flatten()
        if len(ended):
            where = ended.cpu()
            self.verdicts.add(self.positions[where], state.rows(ended))
            going = (~done).nonzero().flatten()
            state, self.positions = state.rows(going), self.positions[going.cpu()]
        self.state = state if len(state) else None


@dataclass
class _Verdicts:
    """What a pool has decided so far."""

    positions: list[Tensor] = field(default_factory=list)
    survived: list[Tensor] = field(default_factory=list)
    steps: list[Tensor] = field(default_factory=list)
    count: int = 0
    survivors: int = 0
    zero: int = 0
    bad: int = 0

    def add(self, positions: Tensor, state: AttackState) -> None:
        survived = ~state.broken.cpu()
        self._append(positions, survived, state.steps.cpu())
        self.zero += int((state.zero_gradient.cpu() & survived).sum())
        self.bad += int(state.bad_gradient.sum())

    def survive(self, positions: Tensor) -> None:
        no_steps = torch.zeros(len(positions), dtype=torch.int64)
        self._append(positions, torch.ones(len(positions), dtype=torch.bool), no_steps)

    def _append(self, positions: Tensor, survived: Tensor, steps: Tensor) -> None:
        self.positions.append(positions)
        self.survived.append(survived)
        self.steps.append(steps)
        self.count += len(positions)
        self.survivors += int(survived.sum())

    def robust(self, correct: np.ndarray) -> np.ndarray:
        robust = np.zeros(len(correct), dtype=bool)
        if self.count:
            robust[torch.cat(self.positions).numpy()] = torch.cat(self.survived).numpy()
        return robust

    def steps_of(self, n: int) -> np.ndarray:
        steps = np.zeros(n, dtype=np.int64)
        if self.count:
            steps[torch.cat(self.positions).numpy()] = torch.cat(self.steps).numpy()
        return steps


def _check_images(images: Tensor) -> None:
    # Half precision cannot hold a radius: its pixels lie up to 1/2048 apart.
    if images.dtype not in (torch.float32, torch.float64) or images.dim() != 4:
        message = (
            f"images are {images.dtype} of shape {tuple(images.shape)}, "
            "expected float32 (B, C, H, W) in [0, 1]"
        )
        raise DataError(message)
    low, high = (float(bound) for bound in images.aminmax())
    if not (low >= 0 and high <= 1):  # also refuses NaN
        message = (
            f"images lie in [{low:g}, {high:g}], expected [0, 1]: give pixels that are not "
            "normalised (normalisation is the model's first layer)"
        )
        raise DataError(message)


def _check_logits(logits: Tensor, labels: Tensor) -> None:
    if not logits.isfinite().all():
        message = (
            "the model's logits are not finite: training has diverged; lower the learning rate"
        )
        raise DataError(message)
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        message = (
            f"labels run from {int(labels.min())} to {int(labels.max())}, "
            f"but the model has {logits.shape[1]} classes"
        )
        raise DataError(message)
