"""The scalars of a strategy in bootstrap replicates of the evaluation examples and of the seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from robust_tuning.frontier.evaluations import Evaluation
from robust_tuning.frontier.ood_area import ood_area_samples
from robust_tuning.frontier.pareto_frontier import ParetoFrontier, sorted_accuracies
from robust_tuning.frontier.radius import Radii
from robust_tuning.frontier.scalars import (
    AREA,
    EXPECTED,
    OOD_AREA,
    Floats,
    eps_weights,
    expected_robustness,
    of_sorted,
)
from robust_tuning.frontier.seeds import seed_draws
from robust_tuning.frontier.shift_outcomes import OutcomeReader
from robust_tuning.frontier.statistics import resampling_weights

Counts = NDArray[np.float32]

# How many numbers are held at once: points and replicates come in blocks of this size.
_BLOCK = 2_000_000


@dataclass(frozen=True, eq=False, slots=True)
class Replicates:
    """Scalars in every bootstrap replicate, paired between strategies by their examples.

    Attributes:
        samples: By key of a scalar, float64 (replicates,).
        area_of_examples: The area with the examples drawn anew and the seeds kept.
        examples: How many there are.
        seeds: The fewest and the most seeds of the settings that have several; (1, 1) if no
            two runs differ only in their seed, and the replicates know nothing of seeds.
    """

    samples: Mapping[str, Floats]
    area_of_examples: Floats
    examples: int
    seeds: tuple[int, int] = (1, 1)


@dataclass(frozen=True, eq=False, slots=True)
class Resampling:
    """How many examples each evaluation of a curve gets right in each replicate.

    Attributes:
        evaluations: Of the curve, all of the same examples.
        clean: float32 (replicates, evaluations), counts.
        robust: By threat, likewise; 0 for evaluations without it.
        drawn: bool (replicates, evaluations), whose seed was drawn; None where there is one seed.
        seeds: See `Replicates`.
    """

    evaluations: Sequence[Evaluation]
    clean: Counts
    robust: Mapping[str, Counts]
    drawn: NDArray[np.bool_] | None
    seeds: tuple[int, int]

    @classmethod
    def of(cls, evaluations: Sequence[Evaluation], replicates: int, seed: int = 0) -> Self:
        """Draw the examples, the same for every curve of as many, and the seeds.

        Args:
            evaluations: Of the same examples, with their outcomes.
            replicates: How many.
            seed: Of the draws.
        """
        n = evaluations[0].point.accuracy.n
        weights = resampling_weights(n, replicates, seed)
        threats = dict.fromkeys(t for one in evaluations for t in one.point.robust_accuracy)
        shape = replicates, len(evaluations)
        clean, robust = (
            np.empty(shape, np.float32),
            {t: np.zeros(shape, np.float32) for t in threats},
        )
        bits = [row for one in evaluations if one.bits is not None for row in one.bits]
        targets = [
            (counts, column)
            for column, one in enumerate(evaluations)
            for counts in (clean, *(robust[threat] for threat in one.point.robust_accuracy))
        ]
        size = max(1, _BLOCK // n)
        for start in range(0, len(bits), size):
            correct = np.unpackbits(np.stack(bits[start : start + size]), axis=1, count=n)
            block = weights @ correct.T.astype(np.float32)
            for (counts, column), values in zip(targets[start:], block.T, strict=False):
                counts[:, column] = values
        drawn, seeds = seed_draws(evaluations, replicates, seed)
        return cls(evaluations, clean, robust, drawn, seeds)

    def under(
        self, frontier: ParetoFrontier, radii: Radii, reader: OutcomeReader | None = None
    ) -> Replicates:
        """The scalars under the threat of a frontier, and with its kind of area.

        Expected robustness is over `radii`, without which there is none; the area under shift is
        there if `reader` has read the shifted images of all points.

        A replicate of seeds unites fewer different runs than were trained, so its area is smaller
        for no reason of the strategy's; its replicates are moved to the mean of those in which all
        runs are kept. What is left of the seeds is their spread.
        """
        of_examples = self._scalars(frontier, radii, None)
        samples = of_examples
        if self.drawn is not None:
            of_both = self._scalars(frontier, radii, self.drawn)
            samples = {
                key: values + (of_examples[key].mean() - values.mean())
                for key, values in of_both.items()
            }
        columns = self._columns(frontier)
        shifted = ood_area_samples(
            [self.evaluations[column] for column in columns],
            reader or OutcomeReader(),
            None if self.drawn is None else self.drawn[:, columns],
            len(self.clean),
            (frontier.reference, frontier.interpolation, frontier.normalise),
        )
        if shifted is not None:
            samples = {**samples, OOD_AREA: shifted}
        n = self.evaluations[0].point.accuracy.n
        return Replicates(samples, of_examples[AREA], n, self.seeds)

    def _scalars(
        self, frontier: ParetoFrontier, radii: Radii, drawn: NDArray[np.bool_] | None
    ) -> dict[str, Floats]:
        columns = self._columns(frontier)
        names = {frontier.threat, *(name for name, _ in radii)}
        rows = max(1, _BLOCK // len(columns))
        blocks = []
        for start in range(0, len(self.clean), rows):
            block = np.ix_(np.arange(start, min(start + rows, len(self.clean))), columns)
            keep = 1 if drawn is None else drawn[block]
            clean = self.clean[block] * keep
            robust = {name: self.robust[name][block] * keep for name in names}
            blocks.append(self._of_block(frontier, radii, clean, robust))
        return {key: np.concatenate([block[key] for block in blocks]) for key in blocks[0]}

    def _columns(self, frontier: ParetoFrontier) -> NDArray[np.intp]:
        """Where the evaluations under the frontier's threat stand."""
        has = [frontier.threat in one.point.robust_accuracy for one in self.evaluations]
        return np.flatnonzero(has)

    def _of_block(
        self, frontier: ParetoFrontier, radii: Radii, clean: Counts, robust: Mapping[str, Counts]
    ) -> dict[str, Floats]:
        n = self.evaluations[0].point.accuracy.n
        accuracies = sorted_accuracies(clean, robust[frontier.threat], n)
        scalars = of_sorted(
            *accuracies, frontier.reference, frontier.interpolation, frontier.normalise
        )
        if radii:
            weights = eps_weights([eps for _, eps in radii])
            counts = [clean, *(robust[name] for name, _ in radii)]
            scalars[EXPECTED] = expected_robustness(counts, weights) / n
        return scalars
