"""The single examples of many points: read once, and drawn anew for any choice of them."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from robust_tuning.errors import DataError
from robust_tuning.frontier.point import FrontierPoint
from robust_tuning.frontier.resampling import ExampleSets, MeasuredSet, resampled_accuracies
from robust_tuning.frontier.store import Run

Floats = NDArray[np.float64]

_CLEAN = ""


class OutcomeReader:
    """Reads the outcomes of points and keeps no more of them than a resampling needs.

    Everything is read before anything is drawn: which images are drawn together depends on all.
    """

    def __init__(self) -> None:
        self._sets = ExampleSets()
        self._found: dict[int, dict[str, MeasuredSet]] = {}
        self._missing: dict[int, str] = {}

    def read(self, run: Run, point: FrontierPoint) -> None:
        """Read the outcomes of one of a run's points, unless that was done."""
        if id(point) in self._found or id(point) in self._missing:
            return
        try:
            self._found[id(point)] = self._measured_sets(run, point)
        except DataError as error:
            self._missing[id(point)] = str(error)

    def missing(self, points: Sequence[FrontierPoint]) -> list[str]:
        """Why outcomes of some points could not be read."""
        return [self._missing[id(point)] for point in points if id(point) in self._missing]

    def has(self, points: Sequence[FrontierPoint]) -> bool:
        """Whether the outcomes of all of them were read."""
        return all(id(point) in self._found for point in points)

    def same_images(self, points: Sequence[FrontierPoint], keys: Sequence[str]) -> bool | None:
        """Whether the shifted sets are made of the clean images; None where that is not known."""
        rows = [self._found[id(point)] for point in points if id(point) in self._found]
        if not rows:
            return None
        pairs = {(row[_CLEAN].examples, row[key].examples) for row in rows for key in keys}
        return all(self._sets.are_together(*pair) for pair in pairs)

    def draw(
        self, points: Sequence[FrontierPoint], keys: Sequence[str], replicates: int
    ) -> Iterator[tuple[int, Floats, Floats]]:
        """Bootstrap the accuracies of those points that have outcomes.

        Yields:
            The point's position, its accuracies float64 (replicates, K) in the order of `keys`,
            and its clean accuracy (replicates,). Draws are paired between all calls.
        """
        known = [place for place, point in enumerate(points) if id(point) in self._found]
        rows = [[self._found[id(points[place])][key] for key in (_CLEAN, *keys)] for place in known]
        drawn = resampled_accuracies(rows, self._sets, replicates)
        for place, accuracy in zip(known, drawn, strict=True):
            yield place, accuracy[1:].T, accuracy[0]

    def _measured_sets(self, run: Run, point: FrontierPoint) -> dict[str, MeasuredSet]:
        outcomes = run.outcomes(point)
        examples = self._sets.add(outcomes.index, outcomes.label)
        found = {_CLEAN: MeasuredSet(examples, outcomes.clean_correct)}
        for key, estimate in point.ood_accuracy.items():
            shift = outcomes.shifts.get(key)
            counts = None if shift is None else (len(shift.correct), int(shift.correct.sum()))
            if shift is None or counts != (estimate.n, estimate.successes):
                message = (
                    f"{run.folder}, step {point.step}: the outcomes of {key!r} are missing or of "
                    "another evaluation; evaluate this step again"
                )
                raise DataError(message)
            found[key] = MeasuredSet(self._sets.add(shift.index, shift.label), shift.correct)
        return found
