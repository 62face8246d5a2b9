"""The course of one evaluation: the clean pass over each batch, and a campaign per adversary."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from robust_tuning.attacks.adversary import Adversary
from robust_tuning.attacks.base import Attack, margins
from robust_tuning.attacks.campaign import Campaign
from robust_tuning.attacks.checks import check_images, check_logits
from robust_tuning.attacks.diagnostics import diagnose
from robust_tuning.attacks.examples import AdversarialExamples, Kept
from robust_tuning.attacks.journal import Journal
from robust_tuning.attacks.ladders import Descent, climb, ladders_of
from robust_tuning.attacks.leads import Leads
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.outcomes import Outcomes, Progress
from robust_tuning.attacks.pool import Slots, Waiting
from robust_tuning.attacks.sanity import RESERVE, SecondOpinion, second_opinion
from robust_tuning.errors import DataError
from robust_tuning.metrics import misclassified
from robust_tuning.types import Batch

Examples = Batch | tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Plan:
    """What is done besides attacking.

    Attributes:
        batch_size: Examples attacked at a time.
        descent: How the radii of a norm go down; None goes up.
        keep: As what adversarial images are kept; None keeps none.
        warm_start: Starting points from an earlier evaluation, by threat.
        sanity: Whether a few survivors are attacked otherwise.
        journal: Verdicts known from before, and where new ones are written down.
    """

    batch_size: int
    descent: Descent | None = None
    keep: Kept | None = None
    warm_start: Mapping[str, AdversarialExamples] | None = None
    sanity: bool = True
    journal: Journal | None = None


class Evaluation:
    """Takes batches as they come, and attacks what is classified correctly.

    Args:
        oracle: The model under attack.
        device: Where it lies.
        adversaries: Who attacks, with different threats.
        plan: What else is done.
    """

    def __init__(
        self, oracle: Oracle, device: torch.device, adversaries: Sequence[Adversary], plan: Plan
    ) -> None:
        self._oracle = oracle
        self._device = device
        self._plan = plan
        self._slots = Slots(plan.batch_size, device)
        # A search for the nearest image is kept whole where it begins with the largest radius.
        nearest = all(isinstance(a, Attack) and a.measures_distance for a in adversaries)
        descending = plan.descent is not None or nearest
        self._ladders = ladders_of([a.threat for a in adversaries], descending=descending)
        firsts = {ladder[0] for ladder in self._ladders}
        warm = plan.warm_start or {}
        self._campaigns = [
            Campaign(
                oracle,
                adversary,
                self._slots,
                streams=place in firsts,
                warm=warm.get(adversary.threat.key),
                keep=plan.keep,
                journal=plan.journal,
            )
            for place, adversary in enumerate(adversaries)
        ]
        self._kept: list[Waiting] = []
        self._reserve: list[Waiting] = []
        self._indices: list[Tensor] = []
        self._labels: list[Tensor] = []
        self._correct: list[Tensor] = []
        self._leads = Leads()
        self._dtype = torch.float32
        self.count = 0

    def steps(self, examples: Iterable[Examples]) -> Iterator[None]:
        """Everything there is to do, with a pause after each step.

        Raises:
            DataError: If there is nothing to evaluate, or the examples are not as expected.
        """
        for images, labels, *identities in examples:
            if len(labels):
                places = torch.arange(self.count, self.count + len(labels))
                yield from self._take(Batch(images, labels, *(identities or [places])))
                yield
        if not self.count:
            message = "there are no examples to evaluate"
            raise DataError(message)
        for ladder in self._ladders:
            campaigns = [self._campaigns[place] for place in ladder]
            yield from climb(campaigns, self._kept, self._plan.descent)
        yield

    def progress(self, size: int | None) -> Progress:
        """How far things are."""
        many = max(1, len(self._campaigns))
        done = sum(campaign.ledger.decided for campaign in self._campaigns)
        return Progress(
            done if self._campaigns else self.count,
            None if size is None else size * many,
            {c.key: float(c.ledger.robust.mean()) for c in self._campaigns},
        )

    def outcomes(self) -> Outcomes:
        """The verdicts; the sanity check and the collected images take their last passes here."""
        opinions = {
            c.key: second_opinion(self._oracle, self._slots, c, self._reserve)
            for c in self._campaigns
            if self._plan.sanity
        }
        indices = torch.cat(self._indices).numpy()
        labels = torch.cat(self._labels).numpy()
        adversarial = {
            c.key: c.collection.examples(indices, labels, self._answer, self._plan.batch_size)
            for c in self._campaigns
            if c.collection is not None
        }
        return Outcomes(
            indices=indices,
            labels=labels,
            clean_correct=torch.cat(self._correct).numpy(),
            robust={c.key: c.ledger.robust for c in self._campaigns},
            steps={c.key: c.ledger.steps for c in self._campaigns},
            distance={c.key: c.ledger.distance for c in self._campaigns if c.measures_distance},
            diagnostics={
                c.key: diagnose(c, self._leads, opinions.get(c.key, SecondOpinion()))
                for c in self._campaigns
            },
            audits={c.key: c.audit for c in self._campaigns if c.audit is not None},
            adversarial={key: found for key, found in adversarial.items() if found is not None},
        )

    def _answer(self, images: Tensor) -> Tensor:
        return self._clean_pass(images.to(self._device, self._dtype)).cpu()

    def _take(self, batch: Batch) -> Iterator[None]:
        # A clone, because tensors made in inference mode carry no gradients.
        images = batch.images.to(self._device).clone()
        labels = batch.labels.to(self._device).clone()
        check_images(images)
        self._dtype = images.dtype
        logits = self._clean_pass(images)
        check_logits(logits, labels)
        if not self.count:
            # Once per evaluation: this exposes randomness, and statistics of the batch.
            again, alone = self._clean_pass(images), self._clean_pass(images[:1])
            self._leads.compare(logits, again, alone)
            for campaign in self._campaigns:
                campaign.begin(logits.shape[1])
        lead = margins(logits, labels)
        self._leads.add(logits, lead)
        correct = ~misclassified(logits, labels)
        positions = torch.arange(self.count, self.count + len(labels))
        indices = batch.indices.cpu()
        chosen = correct.nonzero().flatten()
        where = chosen.cpu()
        waiting = Waiting(
            images[chosen], labels[chosen], logits[chosen], positions[where], indices[where]
        )
        self.count += len(labels)
        self._indices.append(indices)
        self._labels.append(labels.cpu())
        self._correct.append(correct.cpu())
        if any(campaign.keeps_examples for campaign in self._campaigns):
            self._kept.append(waiting.to("cpu"))
        if (room := RESERVE - sum(map(len, self._reserve))) > 0:
            self._reserve.append(waiting.rows(slice(room)).to("cpu"))
        clean = lead.double().cpu().numpy()
        for campaign in self._campaigns:
            campaign.register(correct.cpu().numpy(), clean, indices.numpy())
        for campaign in self._campaigns:
            yield from campaign.attack(waiting)

    def _clean_pass(self, images: Tensor) -> Tensor:
        parts = self._slots.attempt(lambda rows: self._oracle.logits(images[rows]), len(images))
        return torch.cat(parts)
