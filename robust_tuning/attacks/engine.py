"""Which examples a model classifies correctly, and which of those an adversary breaks.

A verdict costs what the example needs: one that is misclassified unperturbed never enters an
attack, one that is broken leaves at once, and another takes its slot (`pool`). What survives one
attack of an adversary goes on to the next (`campaign`), and what is known at one radius is not
found out again at another (`ladders`).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized

import torch
from torch import nn

from robust_tuning.attacks.adversary import Adversary
from robust_tuning.attacks.base import margins, misclassified
from robust_tuning.attacks.campaign import Campaign
from robust_tuning.attacks.checks import check_images, check_logits
from robust_tuning.attacks.diagnostics import diagnose
from robust_tuning.attacks.isolation import undisturbed
from robust_tuning.attacks.ladders import climb, ladders_of
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.outcomes import Outcomes, Progress
from robust_tuning.attacks.pool import Waiting
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.types import Batch


def evaluate(
    model: nn.Module,
    examples: Iterable[Batch],
    adversaries: Adversary | Sequence[Adversary],
    *,
    batch_size: int = 64,
    inherit: bool = False,
    total: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcomes:
    """Find which examples a model classifies correctly, and which of those an adversary breaks.

    With several radii of one norm an example that falls at one counts as broken at every larger:
    it is searched from the smallest radius up.

    Args:
        model: `(B, C, H, W)` images in [0, 1] to logits `(B, K)`. It is run in evaluation mode with
            frozen parameters and left as found.
        examples: Batches on any device, such as a data loader's. They are read once, as needed.
        adversaries: One or several, with different threats.
        batch_size: Slots per attack. It changes the speed, not the result.
        inherit: Search from the largest radius down instead, and take who survives there for robust
            at every smaller one. Much cheaper, and no proof: an attack may do worse with more room.
            A random sample is attacked all the same; `Outcomes.audits` says what that bounds.
        total: Number of examples, for the progress; by default what `examples.dataset` says.
        on_progress: Called after each step.

    Returns:
        The verdicts in the order of the examples. With `eps = 0`, `robust` equals `clean_correct`.

    Raises:
        ConfigurationError: If two adversaries have the same threat, if `batch_size` is not
            positive, or if `inherit` meets an adversary that leaves survivors alone by itself.
        DataError: If there are no examples, if an image is not float32 in [0, 1] or a label not a
            class of the model, or if the logits are not finite.
    """
    chosen = [adversaries] if isinstance(adversaries, Adversary) else list(adversaries)
    _check(chosen, batch_size)
    began = time.perf_counter()
    with undisturbed(model):
        run = _Evaluation(model, chosen, batch_size, inherit=inherit)
        size = total or _size(examples)
        for _ in run.steps(examples):
            if on_progress is not None:
                on_progress(run.progress(size))
        return run.outcomes(time.perf_counter() - began)


def _check(adversaries: Sequence[Adversary], batch_size: int) -> None:
    keys = [adversary.threat.key for adversary in adversaries]
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
    """The clean pass over each batch, and a campaign per adversary fed from it."""

    def __init__(
        self, model: nn.Module, adversaries: Sequence[Adversary], slots: int, *, inherit: bool
    ) -> None:
        self.oracle = Oracle(model)
        self.device = next((p.device for p in model.parameters()), torch.device("cpu"))
        self.ladders = ladders_of([a.threat for a in adversaries], descending=inherit)
        firsts = {ladder[0] for ladder in self.ladders}
        self.campaigns = [
            Campaign(self.oracle, adversary, slots, streams=place in firsts)
            for place, adversary in enumerate(adversaries)
        ]
        self.inherit = inherit
        self.kept: list[Waiting] = []
        self.indices: list[torch.Tensor] = []
        self.labels: list[torch.Tensor] = []
        self.correct: list[torch.Tensor] = []
        self.count = 0
        self.random_model = False

    def steps(self, examples: Iterable[Batch]) -> Iterator[None]:
        """Everything there is to do, with a pause after each step."""
        for batch in examples:
            if len(batch.labels):
                yield from self._take(batch)
                yield
        if not self.count:
            message = "there are no examples to evaluate"
            raise DataError(message)
        for ladder in self.ladders:
            campaigns = [self.campaigns[place] for place in ladder]
            yield from climb(campaigns, self.kept, inherit=self.inherit)
        yield

    def progress(self, size: int | None) -> Progress:
        """How far things are."""
        many = max(1, len(self.campaigns))
        done = sum(campaign.ledger.decided for campaign in self.campaigns)
        return Progress(
            done if self.campaigns else self.count,
            None if size is None else size * many,
            {c.key: float(c.ledger.robust.mean()) for c in self.campaigns},
        )

    def outcomes(self, seconds: float) -> Outcomes:
        """The verdicts."""
        return Outcomes(
            indices=torch.cat(self.indices).numpy(),
            labels=torch.cat(self.labels).numpy(),
            clean_correct=torch.cat(self.correct).numpy(),
            robust={c.key: c.ledger.robust for c in self.campaigns},
            steps={c.key: c.ledger.steps for c in self.campaigns},
            diagnostics={c.key: diagnose(c, self.random_model) for c in self.campaigns},
            audits={c.key: c.audit for c in self.campaigns if c.audit is not None},
            forward=self.oracle.forward,
            backward=self.oracle.backward,
            seconds=seconds,
        )

    def _refuse_two_shortcuts(self) -> None:
        """Refuse audits of two shortcuts in one number: their samples are not one random sample."""
        laddered = {place for ladder in self.ladders if len(ladder) > 1 for place in ladder}
        gated = any(self.campaigns[place].leaves_some_alone for place in laddered)
        if self.inherit and gated:
            message = (
                "inherit is on, but an attack such as Triage already leaves some survivors alone; "
                "the audits of both would bound nothing together: turn inherit off, or use an "
                "attack that works on all survivors, such as AutoAttack"
            )
            raise ConfigurationError(message)

    def _take(self, batch: Batch) -> Iterator[None]:
        # A clone, because tensors made in inference mode carry no gradients.
        images = batch.images.to(self.device).clone()
        labels = batch.labels.to(self.device).clone()
        check_images(images)
        logits = self.oracle.logits(images)
        check_logits(logits, labels)
        if not self.count:
            # Once per evaluation: a second pass over the first batch exposes randomness.
            self.random_model = not torch.equal(logits, self.oracle.logits(images))
            for campaign in self.campaigns:
                campaign.begin(logits.shape[1])
            self._refuse_two_shortcuts()
        correct = ~misclassified(logits, labels)
        positions = torch.arange(self.count, self.count + len(labels))
        indices = batch.indices.cpu()
        chosen = correct.nonzero().flatten()
        where = chosen.cpu()
        waiting = Waiting(
            images[chosen], labels[chosen], logits[chosen], positions[where], indices[where]
        )
        self.count += len(labels)
        self.indices.append(indices)
        self.labels.append(labels.cpu())
        self.correct.append(correct.cpu())
        if any(campaign.keeps_examples for campaign in self.campaigns):
            self.kept.append(waiting)
        lead = margins(logits, labels).double().cpu().numpy()
        for campaign in self.campaigns:
            campaign.register(correct.cpu().numpy(), lead, indices.numpy())
        for campaign in self.campaigns:
            yield from campaign.attack(waiting)
