"""The course of one evaluation: the clean pass over each batch, and a campaign per adversary."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from robust_tuning.attacks.adversary import Adversary
from robust_tuning.attacks.base import Attack, margins
from robust_tuning.attacks.campaign import Campaign
from robust_tuning.attacks.checks import check_images, check_logits
from robust_tuning.attacks.diagnostics import diagnose
from robust_tuning.attacks.examples import AdversarialExamples, Kept, joined
from robust_tuning.attacks.journal import Journal
from robust_tuning.attacks.ladders import Descent, climb, ladders_of
from robust_tuning.attacks.leads import Leads
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.outcomes import Outcomes, Progress
from robust_tuning.attacks.pool import Slots, Waiting
from robust_tuning.attacks.sanity import RESERVE, Examiner, SecondOpinion
from robust_tuning.attacks.stock import Classified, OwnStock, Stock
from robust_tuning.errors import DataError
from robust_tuning.metrics import misclassified
from robust_tuning.processes import Processes
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
        processes: Who shares the work.
    """

    def __init__(
        self,
        oracle: Oracle,
        device: torch.device,
        adversaries: Sequence[Adversary],
        plan: Plan,
        processes: Processes = Processes(),  # noqa: B008  this one alone
    ) -> None:
        self._oracle = oracle
        self._device = device
        self._plan = plan
        self._processes = processes
        self._slots = Slots(plan.batch_size, device)
        # A search for the nearest image is kept whole where it begins with the largest radius.
        nearest = all(isinstance(a, Attack) and a.measures_distance for a in adversaries)
        descending = plan.descent is not None or nearest
        self._ladders = ladders_of([a.threat for a in adversaries], descending=descending)
        # Several processes share out the examples of a stage, and so have to know them all before.
        firsts = {ladder[0] for ladder in self._ladders} if processes.size == 1 else set()
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
                processes=processes,
            )
            for place, adversary in enumerate(adversaries)
        ]
        self._kept, self._held_back = OwnStock(), OwnStock()
        self._stock: Stock = self._kept
        self._reserve: Stock = self._held_back
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
        yield from self._climbs()

    def _climbs(self) -> Iterator[None]:
        if not self.count:
            message = "there are no examples to evaluate"
            raise DataError(message)
        for ladder in self._ladders:
            campaigns = [self._campaigns[place] for place in ladder]
            yield from climb(campaigns, self._stock, self._plan.descent)
        yield

    def progress(self, size: int | None) -> Progress:
        """How far things are."""
        many = max(1, len(self._campaigns))
        done = sum(campaign.decided for campaign in self._campaigns)
        return Progress(
            done if self._campaigns else self.count,
            None if size is None else size * many,
            {c.key: c.robust_share for c in self._campaigns},
        )

    def outcomes(self) -> Outcomes:
        """The verdicts; the sanity check and the collected images take their last passes here."""
        indices = torch.cat(self._indices).numpy()
        labels = torch.cat(self._labels).numpy()
        correct = torch.cat(self._correct).numpy()
        reserved = np.flatnonzero(correct)[:RESERVE]
        examiner = Examiner(self._oracle, self._slots, self._reserve, reserved, self._processes)
        opinions = {c.key: examiner.opinion(c) for c in self._campaigns if self._plan.sanity}
        adversarial = {
            c.key: c.collection.examples(indices, labels, self._answer, self._plan.batch_size)
            for c in self._campaigns
            if c.collection is not None
        }
        together = {
            key: joined(self._processes.gather(own), indices) for key, own in adversarial.items()
        }
        return Outcomes(
            indices=indices,
            labels=labels,
            clean_correct=correct,
            robust={c.key: c.ledger.robust for c in self._campaigns},
            steps={c.key: c.ledger.steps for c in self._campaigns},
            distance={c.key: c.ledger.distance for c in self._campaigns if c.measures_distance},
            diagnostics={
                c.key: diagnose(c, self._leads, opinions.get(c.key, SecondOpinion()))
                for c in self._campaigns
            },
            audits={c.key: c.audit for c in self._campaigns if c.audit is not None},
            adversarial={key: found for key, found in together.items() if found is not None},
        )

    def _answer(self, images: Tensor) -> Tensor:
        return self._clean_pass(images.to(self._device, self._dtype)).cpu()

    def _take(self, batch: Batch) -> Iterator[None]:
        images, found = self._classify(batch)
        if not self.count:
            self._look_at_the_model(images, found.logits)
        positions = torch.arange(self.count, self.count + len(found))
        correct = self._register(found)
        chosen = correct.nonzero().flatten()
        where = chosen.cpu()
        waiting = Waiting(
            images[chosen],
            found.labels[chosen],
            found.logits[chosen],
            positions[where],
            found.indices[where],
        )
        if any(campaign.keeps_examples for campaign in self._campaigns):
            self._kept.put(waiting)
        if (room := RESERVE - len(self._held_back)) > 0:
            self._held_back.put(waiting.rows(slice(room)))
        for campaign in self._campaigns:
            yield from campaign.attack(waiting)

    def _look_at_the_model(self, images: Tensor, logits: Tensor) -> None:
        """Once per evaluation: this exposes randomness, and statistics of the batch."""
        again, alone = self._clean_pass(images), self._clean_pass(images[:1])
        self._leads.compare(logits, again, alone)

    def _classify(self, batch: Batch) -> tuple[Tensor, Classified]:
        # A clone, because tensors made in inference mode carry no gradients.
        images = batch.images.to(self._device).clone()
        check_images(images)
        labels = batch.labels.to(self._device).clone()
        self._dtype = images.dtype
        logits = self._clean_pass(images)
        check_logits(logits, labels)
        return images, Classified(labels, logits, batch.indices.cpu())

    def _register(self, found: Classified) -> Tensor:
        """Open the accounts of some examples; which are classified correctly."""
        labels, logits, indices = found.labels, found.logits, found.indices
        if not self.count:
            for campaign in self._campaigns:
                campaign.begin(logits.shape[1])
        lead = margins(logits, labels)
        self._leads.add(logits, lead)
        correct = ~misclassified(logits, labels)
        self._indices.append(indices)
        self._labels.append(labels.cpu())
        self._correct.append(correct.cpu())
        self.count += len(labels)
        for campaign in self._campaigns:
            campaign.register(correct.cpu().numpy(), lead.double().cpu().numpy(), indices.numpy())
        return correct

    def _clean_pass(self, images: Tensor) -> Tensor:
        parts = self._slots.attempt(lambda rows: self._oracle.logits(images[rows]), len(images))
        return torch.cat(parts)
