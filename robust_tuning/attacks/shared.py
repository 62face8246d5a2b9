"""One evaluation by several processes."""

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from robust_tuning.attacks.checks import check_count
from robust_tuning.attacks.evaluation import Evaluation
from robust_tuning.attacks.stock import Classified, SharedStock, Source, shares
from robust_tuning.metrics import misclassified


class SharedEvaluation(Evaluation):
    """An evaluation of which each process does a part; all of them end with the same verdicts.

    Each classifies its share of the examples: that takes the same for every one of them. What an
    attack takes is known only afterwards, so attacks are shared out as they go (`SharedStock`). At
    the end of a stage the verdicts are exchanged. Whatever the next one asks of all of them, such
    as which survivors it works on, then has the same answer everywhere.
    """

    def shared_steps(self, source: Source) -> Iterator[None]:
        """Everything this process has to do, with a pause after each step.

        Raises:
            DataError: If there is nothing to evaluate, or the examples are not as expected.
        """
        everyones = shares(np.arange(len(source)), self._processes)
        own = everyones[self._processes.rank]
        images: dict[int, Tensor] = {}
        found: list[Classified] = []
        for batch in source.batches(own.tolist()) if len(own) else ():
            pictures, answers = self._classify(batch)
            if not found and not self._processes.rank:
                self._look_at_the_model(pictures, answers.logits)
            places = own[sum(map(len, found)) :]
            correct = ~misclassified(answers.logits, answers.labels)
            for row in correct.nonzero().flatten().tolist():
                images[int(places[row])] = pictures[row].cpu().clone()
            found.append(answers.on_cpu())
            yield
        check_count(sum(map(len, found)), len(own))
        parts = self._processes.gather((found, self._leads.signs, self._dtype))
        _, self._leads.signs, self._dtype = parts[0]  # another may have no share
        if len(source):
            everything = Classified.interleaved([answers for answers, *_ in parts], everyones)
            self._register(everything)
            self._stock = SharedStock(self._processes, source, images, everything)
            self._reserve = self._stock
        yield from self._climbs()
