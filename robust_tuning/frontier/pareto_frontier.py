"""The frontier of points that may be compared, with its area and the area's interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.frontier.outcomes import ExampleOutcomes
from robust_tuning.frontier.pareto import (
    Interpolation,
    Normalisation,
    area_definition,
    areas_of_sorted,
    dominated_area,
    largest_area,
    pareto_mask,
)
from robust_tuning.frontier.point import FrontierPoint
from robust_tuning.frontier.statistics import basic_interval, resampling_weights

# How many numbers the bootstrap holds at once: replicates come in blocks of this size.
_BLOCK = 2_000_000


class Conditions(NamedTuple):
    """Under what a point was measured: points that differ in any of it cannot be compared."""

    benchmark: str
    backbone: str
    split: str
    attack_fingerprint: str | None
    examples: str = ""

    @classmethod
    def of(cls, point: FrontierPoint, examples: str = "") -> Self:
        """The conditions of one point, with the fingerprint of its examples where it is known."""
        fingerprint = None if point.attack is None else point.attack.fingerprint
        return cls(point.benchmark, point.backbone, point.split, fingerprint, examples)


@dataclass(frozen=True, slots=True)
class ParetoFrontier:
    """The Pareto frontier of some points under one threat; made by `from_points`.

    Attributes:
        threat: The threat of the robust accuracies.
        reference: Accuracy and robust accuracy of the corner that the area is measured from.
        interpolation: What joins neighbouring members, see `dominated_area`.
        points: All points, in the order given.
        members: Those that none dominates, by rising accuracy.
        area: See `dominated_area`.
        normalise: What the area was divided by, see `largest_area`.
    """

    threat: str
    reference: tuple[float, float]
    interpolation: Interpolation
    points: tuple[FrontierPoint, ...]
    members: tuple[FrontierPoint, ...]
    area: float
    normalise: Normalisation = "none"

    @classmethod
    def from_points(
        cls,
        points: Sequence[FrontierPoint],
        threat: str,
        *,
        reference: tuple[float, float] = (0.0, 0.0),
        interpolation: Interpolation = "staircase",
        normalise: Normalisation = "none",
    ) -> Self:
        """Find the frontier of points that were measured under the same conditions.

        Raises:
            ConfigurationError: No points; points that differ in benchmark, backbone, split or
                attack, with the runs that do; or a point without this threat.
        """
        _require_comparable(points)
        for point in points:
            if threat not in point.robust_accuracy:
                known = ", ".join(point.robust_accuracy) or "none"
                message = (
                    f"run {point.run!r}, step {point.step}: no threat {threat!r}, it has {known}"
                )
                raise ConfigurationError(message)
        accuracy, robust = _coordinates(points, threat)
        area = dominated_area(accuracy, robust, reference=reference, interpolation=interpolation)
        area /= largest_area(reference, normalise)
        mask = pareto_mask(accuracy, robust)
        chosen = [point for point, member in zip(points, mask, strict=True) if member]
        members = sorted(chosen, key=lambda point: point.accuracy.value)
        return cls(threat, reference, interpolation, tuple(points), tuple(members), area, normalise)

    @property
    def definition(self) -> str:
        """What the area is, in one line."""
        return area_definition(self.reference, self.interpolation, self.normalise)

    def dominates(self, other: "ParetoFrontier") -> bool:
        """Whether this frontier is nowhere below the other and somewhere above it.

        That is: every member of the other is equalled or exceeded in both quantities by a member
        of this one, and not the other way round. Speaks of the measured values alone.

        Raises:
            ConfigurationError: Other conditions or another threat.
        """
        _require_comparable([*self.members, *other.members])
        if self.threat != other.threat:
            message = (
                f"a frontier under {self.threat!r} and one under {other.threat!r}: expected one"
            )
            raise ConfigurationError(message)
        return _covers(self, other) and not _covers(other, self)

    def bootstrap(
        self,
        outcomes: Sequence[ExampleOutcomes],
        *,
        replicates: int = 1000,
        seed: int = 0,
        confidence: float = 0.95,
    ) -> tuple[float, float]:
        """The bootstrap interval of the area.

        Every replicate draws the evaluation examples anew, with replacement and the same draw for
        all points, then recomputes every accuracy, every robust accuracy, the frontier and its
        area. Frontiers bootstrapped with one seed on the same examples are paired.

        The area of a frontier is that of a maximum over points, chosen on the very examples that
        it is measured on: it is optimistic, the more so the more points compete. Replicates are
        optimistic once more, by about as much, and the basic interval takes that off (see
        `basic_interval`), though not all of it where dozens of equally good points compete. The
        area can lie near the interval's upper end, or even above it. The interval speaks of the
        sampling of examples alone: neither of seeds nor of training.

        Args:
            outcomes: What happened to the examples, one per entry of `points` in that order.
            replicates: How many resamples.
            seed: Of the draws.
            confidence: Coverage, inside (0, 1).

        Raises:
            DataError: Not one per point, without this threat, or not all of the same examples.
            ConfigurationError: No replicates, or a confidence outside (0, 1).
        """
        clean, robust = self._correctness(outcomes)
        examples = clean.shape[1]
        weights = resampling_weights(examples, replicates, seed)
        rows = max(1, _BLOCK // len(clean))
        areas = [
            self._areas_of_counts(block @ clean.T, block @ robust.T, examples)
            for block in np.split(weights, range(rows, replicates, rows))
        ]
        low, high = basic_interval(self.area, np.concatenate(areas), confidence)
        return max(low, 0.0), min(high, 1.0)

    def _correctness(
        self, outcomes: Sequence[ExampleOutcomes]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Clean and robust correctness, float32 (points, examples) each."""
        if len(outcomes) != len(self.points):
            message = f"outcomes of {len(outcomes)} evaluations for {len(self.points)} points"
            raise DataError(message)
        first, run = outcomes[0], self.points[0].run
        for point, other in zip(self.points, outcomes, strict=True):
            if self.threat not in other.robust:
                message = f"outcomes of run {point.run!r}, step {point.step}: no {self.threat!r}"
                raise DataError(message)
            if not np.array_equal(first.index, other.index):
                message = (
                    f"runs {run!r} and {point.run!r} (step {point.step}) were not evaluated on the "
                    "same examples, so they cannot be resampled together; evaluate both alike"
                )
                raise DataError(message)
        clean = np.stack([other.clean_correct for other in outcomes])
        robust = np.stack([other.robust[self.threat] for other in outcomes])
        return clean.astype(np.float32), robust.astype(np.float32)

    def _areas_of_counts(
        self, clean: NDArray[np.float32], robust: NDArray[np.float32], examples: int
    ) -> NDArray[np.float64]:
        """Areas of many replicates from their counts, (replicates, points) each."""
        areas = areas_of_sorted(
            *sorted_accuracies(clean, robust, examples), self.reference, self.interpolation
        )
        return areas / largest_area(self.reference, self.normalise)


def sorted_accuracies(
    clean: NDArray[np.float32], robust: NDArray[np.float32], examples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Accuracies and robust accuracies from counts (replicates, points), as areas are made of.

    Every row is in the order of accuracy, equal ones in that of robust accuracy.
    """
    # Both counts in one whole number, so that one plain sort orders by the one and the other.
    bits = examples.bit_length()
    kind = np.dtype(np.int32 if 2 * bits < 32 else np.int64)
    keys: NDArray[Any] = clean.astype(kind)
    keys <<= bits
    keys |= robust.astype(kind)
    keys.sort(axis=1)
    return (keys >> bits) / examples, (keys & (1 << bits) - 1) / examples


def _coordinates(
    points: Sequence[FrontierPoint], threat: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    accuracy = np.array([point.accuracy.value for point in points])
    return accuracy, np.array([point.robust_accuracy[threat].value for point in points])


def _covers(above: ParetoFrontier, below: ParetoFrontier) -> bool:
    x, y = _coordinates(above.members, above.threat)
    u, v = _coordinates(below.members, below.threat)
    return bool(((x >= u[:, None]) & (y >= v[:, None])).any(axis=1).all())


def _require_comparable(points: Sequence[FrontierPoint]) -> None:
    if not points:
        message = "a frontier of no points: expected at least one"
        raise ConfigurationError(message)
    runs: dict[Conditions, set[str]] = {}
    for point in points:
        runs.setdefault(Conditions.of(point), set()).add(point.run)
    if len(runs) == 1:
        return
    differences = []
    for position, name in enumerate(Conditions._fields):
        by_value: dict[str | None, set[str]] = {}
        for conditions, names in runs.items():
            by_value.setdefault(conditions[position], set()).update(names)
        if len(by_value) > 1:
            parts = (f"{value} (run {', '.join(sorted(who))})" for value, who in by_value.items())
            differences.append(f"{name.replace('_', ' ')}: {' and '.join(parts)}")
    message = f"points that cannot share a frontier differ in {'; '.join(differences)}"
    raise ConfigurationError(message)
