"""What runs measured under attack, with the examples that each evaluation is of."""

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robust_tuning.errors import DataError
from robust_tuning.frontier.outcomes import ExampleOutcomes, Integers
from robust_tuning.frontier.pareto_frontier import Conditions
from robust_tuning.frontier.point import FrontierPoint
from robust_tuning.frontier.store import Run

Subsets = dict[str, tuple[Integers, Integers]]


@dataclass(frozen=True, eq=False, slots=True)
class Evaluation:
    """One attacked point with what happened to its examples.

    Attributes:
        run: Where it was read.
        point: With at least one robust accuracy.
        examples: Fingerprint of the examples and their labels; that of the other points of equal
            size where the outcomes are missing.
        bits: uint8 (1 + threats, ⌈n/8⌉), packed correctness: clean, then under each threat in the
            point's order; None where the outcomes are missing.
        note: Why they are; empty where they are not.
    """

    run: Run
    point: FrontierPoint
    examples: str
    bits: NDArray[np.uint8] | None
    note: str = ""


def read_evaluations(runs: Iterable[Run]) -> tuple[list[Evaluation], Subsets]:
    """Read the attacked points of runs and which examples they are of.

    Of points that a run holds twice the last counts, and of runs that hold the same points the
    first; both are said in a warning.

    Returns:
        The evaluations in order, and by fingerprint index and label of the examples that were met.

    Raises:
        RunError: A run that cannot be read.
    """
    subsets: Subsets = {}
    evaluations = [
        _read(run, point, subsets)
        for run in _without_copies(runs)
        for point in _without_duplicates(run)
    ]
    known: dict[tuple[Conditions, int], str] = {}
    for evaluation in evaluations:
        if evaluation.bits is not None:
            known.setdefault(_size(evaluation), evaluation.examples)
    return [_placed(evaluation, known) for evaluation in evaluations], subsets


def origin(run: Run) -> Path:
    """The folder of the run that was trained: for stored evaluations of a run, that run's."""
    parent = run.folder.parent
    return parent.parent if parent.name == "evaluations" else run.folder


def _read(run: Run, point: FrontierPoint, subsets: Subsets) -> Evaluation:
    try:
        outcomes = run.outcomes(point, shifts=False)
    except DataError as error:
        return Evaluation(run, point, "", None, str(error))
    return Evaluation(run, point, *_pack(outcomes, point, subsets))


def _pack(
    outcomes: ExampleOutcomes, point: FrontierPoint, subsets: Subsets
) -> tuple[str, NDArray[np.uint8]]:
    index, label = outcomes.index, outcomes.label
    rows = np.stack([outcomes.clean_correct, *(outcomes.robust[t] for t in point.robust_accuracy)])
    if (np.diff(index) < 0).any():  # the same examples in another order are the same examples
        order = np.argsort(index, kind="stable")
        index, label, rows = index[order], label[order], rows[:, order]
    examples = sha256(index.tobytes() + label.tobytes()).hexdigest()[:8]
    subsets.setdefault(examples, (index, label))
    return examples, np.packbits(rows, axis=1)


def _size(evaluation: Evaluation) -> tuple[Conditions, int]:
    return Conditions.of(evaluation.point), evaluation.point.accuracy.n


def _placed(evaluation: Evaluation, known: dict[tuple[Conditions, int], str]) -> Evaluation:
    if evaluation.bits is not None:
        return evaluation
    size = _size(evaluation)
    return replace(evaluation, examples=known.get(size, f"n{size[1]}"))


def _without_copies(runs: Iterable[Run]) -> Iterator[Run]:
    known: dict[tuple[tuple[str, str, int, str], ...], list[Run]] = {}
    for run in runs:
        key = tuple((point.run, point.time, point.step, point.split) for point in run.points)
        alike = known.setdefault(key, [])
        twin = next((other for other in alike if key and other.points == run.points), None)
        if twin is None:
            alike.append(run)
            yield run
        else:
            _warn(f"{run.folder}: left out, it holds the same points as {twin.folder}")


def _without_duplicates(run: Run) -> Iterator[FrontierPoint]:
    last: dict[tuple[object, ...], FrontierPoint] = {}
    repeated: dict[int, None] = {}
    for point in run.points:
        if point.attack is None or not point.robust_accuracy:
            continue
        key = point.step, point.split, point.attack.fingerprint, *point.robust_accuracy
        if key in last:
            repeated[point.step] = None
        last[key] = point
    if repeated:
        steps = ", ".join(map(str, repeated))
        _warn(f"{run.folder}: evaluated more than once at step {steps}; the last one counts")
    yield from last.values()


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=3)
