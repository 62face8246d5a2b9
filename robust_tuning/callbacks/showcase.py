"""A few adversarial examples of an evaluation, for looking at; no number knows of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Subset

from robust_tuning.attacks import AdversarialExamples, Outcomes
from robust_tuning.callbacks.evaluation import prepared
from robust_tuning.data.examples import collate
from robust_tuning.data.loader import BatchLoader
from robust_tuning.frontier.examples import PerturbedExamples
from robust_tuning.isolation import undisturbed
from robust_tuning.tuner import RobustTuner
from robust_tuning.types import Batch, Split

Attacking = Callable[[Iterable[Batch]], Outcomes]


def choose(outcomes: Outcomes, count: int) -> dict[str, NDArray[np.int64]]:
    """The places of a few examples by threat: of the broken ones those with the lowest indices.

    Where too few are broken, such as were attacked in vain join them. None is chosen that is
    misclassified without an attack.
    """
    attacked = np.flatnonzero(outcomes.clean_correct)
    return {
        threat: attacked[np.lexsort((outcomes.indices[attacked], robust[attacked]))][:count]
        for threat, robust in outcomes.robust.items()
    }


@dataclass(frozen=True)
class Showcase:
    """Shows how an evaluation went on a few of its examples.

    These are attacked once more by themselves, in the same way: what becomes of an example depends
    on its index and the attack's seed alone. The evaluation need not keep its images, then, and
    counts nothing twice.

    Attributes:
        step: Of the evaluation.
        split: Where the examples come from.
        count: How many to show of each threat.
        class_names: In label order.
    """

    step: int
    split: Split
    count: int
    class_names: tuple[str, ...]

    def of(
        self,
        tuner: RobustTuner,
        examples: Dataset[Batch],
        outcomes: Outcomes,
        attacking: Attacking,
    ) -> dict[str, PerturbedExamples]:
        """Attack a few examples for showing.

        Args:
            tuner: The model, left as found.
            examples: Of the evaluation, in its order.
            outcomes: What the evaluation found.
            attacking: Attacks examples as the evaluation did, and keeps the images in float32.

        Returns:
            By threat; threats under which nothing was attacked are left out.
        """
        chosen = choose(outcomes, self.count)
        places = sorted({int(place) for some in chosen.values() for place in some})
        if not places:
            return {}
        with undisturbed(tuner.backbone):
            loader = BatchLoader(Subset(examples, places), len(places), collate_fn=collate)
            [batch] = prepared(tuner, loader)
            adversarial = attacking([batch]).adversarial
            shown = {
                threat: self._shown(tuner, batch, outcomes.indices[chosen[threat]], found)
                for threat, found in adversarial.items()
            }
        return {threat: some for threat, some in shown.items() if len(some)}

    def _shown(
        self,
        tuner: RobustTuner,
        batch: Batch,
        indices: NDArray[np.int64],
        found: AdversarialExamples,
    ) -> PerturbedExamples:
        # An example whose verdict another radius has settled was not attacked at this one.
        wanted, known = np.intersect1d(indices, found.indices), batch.indices.cpu().numpy()
        order = np.argsort(known)
        places = torch.from_numpy(order[np.searchsorted(known, wanted, sorter=order)])
        clean, perturbed = batch.images.cpu()[places], found.of(torch.from_numpy(wanted))
        return PerturbedExamples(
            step=self.step,
            split=self.split,
            index=wanted,
            label=batch.labels.cpu()[places].numpy(),
            clean=(clean * 255).round().to(torch.uint8).numpy(),
            perturbation=(perturbed - clean).half().numpy(),
            predicted_clean=_predicted(tuner, clean),
            predicted_adversarial=_predicted(tuner, perturbed),
            class_names=self.class_names,
        )


def _predicted(tuner: RobustTuner, images: Tensor) -> NDArray[np.int64]:
    with torch.no_grad():
        classes: NDArray[np.int64] = tuner(images.to(tuner.device)).argmax(1).cpu().numpy()
    return classes
