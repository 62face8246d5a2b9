"""A few adversarial examples of an evaluation, for looking at; no number knows of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Subset

from robust_tuning.attacks import AdversarialExamples, Adversary, Outcomes
from robust_tuning.callbacks.evaluation import prepared
from robust_tuning.data.examples import collate
from robust_tuning.data.loader import BatchLoader
from robust_tuning.frontier.examples import PerturbedExamples
from robust_tuning.isolation import undisturbed
from robust_tuning.tuner import RobustTuner
from robust_tuning.types import Batch, Split

Attacking = Callable[[Batch, Adversary], Outcomes]


def choose(outcomes: Outcomes, threat: str, count: int) -> NDArray[np.int64]:
    """The places of a few examples: of those broken under a threat the ones with lowest indices.

    Where too few are broken, such as were attacked in vain join them; none is chosen that is
    misclassified without an attack. They come by rising index.
    """
    attacked = np.flatnonzero(outcomes.clean_correct)
    withstood, index = outcomes.robust[threat][attacked], outcomes.indices[attacked]
    chosen = attacked[np.lexsort((index, withstood))][:count]
    return chosen[np.argsort(outcomes.indices[chosen])]


@dataclass(frozen=True)
class Showcase:
    """Shows how an evaluation went on a few of its examples.

    These are attacked once more by themselves, in the same way: what becomes of an example depends
    on its index and the attack's seed alone. The evaluation need not keep its images, then, and
    counts nothing twice. Here each radius is searched by itself, so that an example which the
    evaluation knew from a smaller one shows what the attack does at its own.

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
        adversaries: Sequence[Adversary],
        attacking: Attacking,
    ) -> dict[str, PerturbedExamples]:
        """Attack a few examples for showing.

        Args:
            tuner: The model, left as found.
            examples: Of the evaluation, in its order.
            outcomes: What the evaluation found.
            adversaries: Of the evaluation.
            attacking: Attacks examples as the evaluation did, and keeps the images in float32.

        Returns:
            By threat; threats under which nothing was attacked are left out.
        """
        shown = {}
        with undisturbed(tuner.backbone):
            for adversary in adversaries:
                threat = adversary.threat.key
                places = choose(outcomes, threat, self.count)
                if not len(places):
                    continue
                few = Subset(examples, places.tolist())
                [batch] = prepared(tuner, BatchLoader(few, len(few), collate_fn=collate))
                found = attacking(batch, adversary).adversarial.get(threat)
                if found is not None:
                    shown[threat] = self._shown(tuner, batch, found)
        return shown

    def _shown(
        self, tuner: RobustTuner, batch: Batch, found: AdversarialExamples
    ) -> PerturbedExamples:
        indices = batch.indices.cpu()
        # Without those whose verdict an adversary in stages reaches without an attack.
        kept = torch.from_numpy(np.isin(indices.numpy(), found.indices))
        clean, perturbed = batch.images.cpu()[kept], found.of(indices[kept])
        return PerturbedExamples(
            step=self.step,
            split=self.split,
            index=indices[kept].numpy(),
            label=batch.labels.cpu()[kept].numpy(),
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
