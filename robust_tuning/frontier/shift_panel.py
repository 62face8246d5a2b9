"""What stands in one table of a shift: strategies measured on the same shifted sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier.correlation import Correlation
from robust_tuning.frontier.line_fit import LineFit
from robust_tuning.frontier.measure import Measure
from robust_tuning.frontier.point import FrontierPoint, ShiftIdentity
from robust_tuning.frontier.shift_layout import ShiftLayout
from robust_tuning.frontier.statistics import check_confidence
from robust_tuning.frontier.store import Run


@dataclass(frozen=True, slots=True)
class Reference:
    """The model whose errors are the unit of mCE.

    Attributes:
        run: Its run.
        step: At which step; None takes the most accurate point.
    """

    run: Run
    step: int | None = None


@dataclass(frozen=True, slots=True)
class ShiftSettings:
    """How the measures of shifts and their intervals are made.

    Attributes:
        confidence: Coverage of the intervals, inside (0, 1).
        replicates: Of the bootstrap; 0 for derived measures without interval.
        reference: For mCE; None gives errors as they are and relative to clean images alone.

    Raises:
        ConfigurationError: One of them is not what it says.
    """

    confidence: float = 0.95
    replicates: int = 1000
    reference: Reference | None = None

    def __post_init__(self) -> None:
        check_confidence(self.confidence)
        if self.replicates < 0:
            message = f"replicates is {self.replicates}: expected 0 or more, for example 1000"
            raise ConfigurationError(message)


class ShiftConditions(NamedTuple):
    """Under what a shift was measured: points that differ in any of it are not compared.

    The attack is not among them, since it has no part in these accuracies; where shifted images
    are attacked, the shift's own fingerprint says how.
    """

    benchmark: str
    backbone: str
    split: str
    shift: str
    fingerprint: str
    keys: frozenset[str]

    @classmethod
    def of(cls, point: FrontierPoint, name: str) -> Self:
        """The conditions of one shift of a point."""
        shift = point.shifts[name]
        return cls(
            point.benchmark,
            point.backbone,
            point.split,
            name,
            shift.fingerprint,
            frozenset(shift.keys),
        )


@dataclass(frozen=True, slots=True)
class MeasuredPoint:
    """A point with what was derived from its shifted accuracies.

    Attributes:
        point: The point.
        measures: By name, see `shift_measures`; beside them `ece/clean`, `ece/shifted` (the mean
            over the sets) and `effective_robustness`, each where it is known.
    """

    point: FrontierPoint
    measures: Mapping[str, Measure]


@dataclass(frozen=True, slots=True)
class ShiftCurve:
    """All points of one strategy under one shift.

    Attributes:
        strategy: Name of the strategy.
        trajectories: The points of each run, in the order of the run's file.
        correlation: Of OOD with clean accuracy over all of them; None where it is undefined.
    """

    strategy: str
    trajectories: tuple[tuple[MeasuredPoint, ...], ...]
    correlation: Correlation | None

    @property
    def points(self) -> list[MeasuredPoint]:
        """The points of all runs."""
        return [point for trajectory in self.trajectories for point in trajectory]

    @property
    def best(self) -> MeasuredPoint:
        """The point of the highest clean accuracy, the first of equals."""
        return max(self.points, key=lambda measured: measured.point.accuracy.value)


@dataclass(frozen=True, slots=True)
class ShiftPanel:
    """The strategies under one shift, by falling mean accuracy at their most accurate points.

    Attributes:
        conditions: Benchmark, backbone, split and shift.
        shift: The shift of all points.
        layout: Its sets, in order.
        settings: How the measures were made.
        curves: One per strategy.
        line: Through all points of all strategies; None where it is undefined.
        correlation: Over all points of all strategies; None where it is undefined.
        reference: The point that mCE is relative to; None where there is none.
        same_images: Whether the shifted images are made of the clean ones; None where single
            examples are not known.
        notes: What is missing, and why.
    """

    conditions: ShiftConditions
    shift: ShiftIdentity
    layout: ShiftLayout
    settings: ShiftSettings
    curves: tuple[ShiftCurve, ...]
    line: LineFit | None
    correlation: Correlation | None
    reference: FrontierPoint | None
    same_images: bool | None
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        """Benchmark, backbone and split in a few words."""
        return f"{self.conditions.benchmark} · {self.conditions.backbone} · {self.conditions.split}"

    @property
    def label(self) -> str:
        """The shift, what of it was measured, and which quantity if not the accuracy."""
        attacked = f" · robust accuracy, {self.layout.threat}" if self.layout.threat else ""
        return f"{self.layout.name} ({self.layout.words}){attacked}"

    @property
    def examples(self) -> str:
        """On which images the clean and the shifted accuracies are."""
        points = [measured for curve in self.curves for measured in curve.points]
        clean = _span([measured.point.accuracy.n for measured in points])
        words = f"clean: {clean} images of the {self.conditions.split} split"
        shifted = _span([measured.measures["mean"].n for measured in points])
        if self.same_images is None:
            return f"{words}; shifted: {shifted} images"
        if not self.same_images:
            return f"{words}; shifted: {shifted} other images"
        part = "the same" if shifted == clean else f"{shifted} of the same"
        return f"{words}; shifted: {part} images"


def _span(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
