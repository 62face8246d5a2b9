"""Drawing the examples of many evaluations anew, those that are the same by the same draw."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from robust_tuning.frontier.outcomes import Booleans, Integers
from robust_tuning.frontier.statistics import resampling_weights

# How many numbers the bootstrap holds at once: evaluations come in blocks of this size.
_BLOCK = 10_000_000


@dataclass(frozen=True, eq=False, slots=True)
class MeasuredSet:
    """A set of examples and what happened to each.

    Attributes:
        examples: Which examples, a number given by `ExampleSets`.
        correct: bool (n,).
    """

    examples: int
    correct: Booleans


@dataclass(eq=False)
class ExampleSets:
    """The different sets of examples that were met, each kept once.

    An example is known by its index and its label. Two sets of examples share their resampling if
    one holds all the examples of the other: corrupted copies of the clean images, the same domain
    at another step. All else is drawn independently.
    """

    known: list[tuple[Integers, Integers]] = field(default_factory=list)

    def add(self, index: Integers, label: Integers) -> int:
        """The number of a set of examples, the same for equal ones."""
        for number, (other, labels) in enumerate(self.known):
            if np.array_equal(index, other) and np.array_equal(label, labels):
                return number
        self.known.append((index.copy(), label.copy()))
        return len(self.known) - 1

    def populations(self) -> list[dict[int, NDArray[np.int64]]]:
        """Which sets are drawn together: by number, the places of a set's examples in the largest.

        The largest set comes first in each population, the largest population first of all.
        """
        sizes = [len(index) for index, _ in self.known]
        populations: list[dict[int, NDArray[np.int64]]] = []
        for number in sorted(range(len(sizes)), key=lambda number: -sizes[number]):
            for population in populations:
                places = self._places(number, next(iter(population)))
                if places is not None:
                    population[number] = places
                    break
            else:
                populations.append({number: np.arange(sizes[number])})
        return populations

    def are_together(self, first: int, second: int) -> bool:
        """Whether two sets belong to one population."""
        return any(first in some and second in some for some in self.populations())

    def _places(self, number: int, container: int) -> NDArray[np.int64] | None:
        """Where the examples of one set stand in another; None unless it holds them all."""
        index, label = self.known[number]
        outer, outer_label = self.known[container]
        order = np.argsort(outer)
        found = order[np.searchsorted(outer[order], index).clip(max=len(outer) - 1)]
        same = np.array_equal(outer[found], index) and np.array_equal(outer_label[found], label)
        return found if same else None


def resampled_accuracies(
    evaluations: Sequence[Sequence[MeasuredSet]], sets: ExampleSets, replicates: int, seed: int = 0
) -> Iterator[NDArray[np.float64]]:
    """Recompute every accuracy of every evaluation in each bootstrap replicate.

    A replicate draws each population of examples anew, with replacement and the same draw for all
    sets of it. Of a set that is a part of its population, another number of examples is drawn
    each time; its accuracy is that among the drawn.

    Args:
        evaluations: The sets of each, as many and in the same order for all.
        sets: What the sets' numbers stand for.
        replicates: How many resamples.
        seed: Of the draws.

    Yields:
        For one evaluation after the other its accuracies, float64 (sets, replicates).
    """
    if not evaluations:
        return
    populations, width = sets.populations(), len(evaluations[0])
    size = max(1, _BLOCK // (replicates * width))
    for start in range(0, len(evaluations), size):
        block = evaluations[start : start + size]
        accuracy = np.empty((len(block), width, replicates))
        for turn, population in enumerate(populations):
            wanted = _members(block, population)
            if not wanted:
                continue
            examples = len(next(iter(population.values())))
            weights = resampling_weights(examples, replicates, seed + turn)
            for number, members in wanted.items():
                _fill(accuracy, block, members, weights, population[number])
        yield from accuracy


def _members(
    block: Sequence[Sequence[MeasuredSet]], population: dict[int, NDArray[np.int64]]
) -> dict[int, list[tuple[int, int]]]:
    """By number of the examples, which evaluation and which of its sets has them."""
    members: dict[int, list[tuple[int, int]]] = {}
    for row, evaluation in enumerate(block):
        for column, measured in enumerate(evaluation):
            if measured.examples in population:
                members.setdefault(measured.examples, []).append((row, column))
    return members


def _fill(
    accuracy: NDArray[np.float64],
    block: Sequence[Sequence[MeasuredSet]],
    members: list[tuple[int, int]],
    weights: NDArray[np.float32],
    places: NDArray[np.int64],
) -> None:
    """Write the accuracies of all sets that have the same examples."""
    own = weights
    if not np.array_equal(places, np.arange(weights.shape[1])):
        own = np.ascontiguousarray(weights[:, places])
    drawn = own.sum(axis=1, dtype=np.float64)
    drawn[drawn == 0] = np.nan  # nothing of a small part was drawn: no accuracy
    step = max(1, _BLOCK // own.shape[1])
    for first in range(0, len(members), step):
        some = members[first : first + step]
        correct = np.stack([block[row][column].correct for row, column in some])
        counts = correct.astype(np.float32) @ own.T
        rows, columns = np.array(some).T
        accuracy[rows, columns] = counts / drawn
