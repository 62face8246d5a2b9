"""Everything that is measured of the points that share a shift."""

from itertools import chain

import numpy as np
from numpy.typing import NDArray

from robust_tuning.errors import DataError
from robust_tuning.frontier.correlation import Correlation
from robust_tuning.frontier.line_fit import LineFit
from robust_tuning.frontier.measure import Measure
from robust_tuning.frontier.point import FrontierPoint
from robust_tuning.frontier.shift_layout import ShiftLayout
from robust_tuning.frontier.shift_measures import (
    images,
    macro_mean,
    mean_calibration,
    measure_point,
)
from robust_tuning.frontier.shift_outcomes import OutcomeReader
from robust_tuning.frontier.shift_panel import (
    MeasuredPoint,
    ShiftConditions,
    ShiftCurve,
    ShiftPanel,
    ShiftSettings,
)
from robust_tuning.frontier.store import Run
from robust_tuning.frontier.trend import Trend

Entry = tuple[Run, FrontierPoint]
Floats = NDArray[np.float64]


class PanelMeasurement:
    """Everything that is measured of the points under the same conditions."""

    def __init__(
        self,
        conditions: ShiftConditions,
        entries: list[Entry],
        reference: FrontierPoint | None,
        settings: ShiftSettings,
        reader: OutcomeReader,
    ) -> None:
        self.conditions, self.entries, self.settings = conditions, entries, settings
        self.reader = reader
        self.points = [point for _, point in entries]
        self.shift = self.points[0].shifts[conditions.shift]
        self.layout = ShiftLayout.of(conditions.shift, self.shift.keys)
        self.reference = reference if self.layout.severities else None
        self.notes: list[str] = []

    def panel(self) -> ShiftPanel:
        """Measure every point, every strategy and all of them together."""
        measures, samples = self._measure_points()
        line, correlation = None, None
        if (trend := self._trend(samples)) is not None:
            line, correlation = LineFit.of(trend), Correlation.of(trend)
            for own, beyond in zip(measures, line.effective_robustness, strict=True):
                own["effective_robustness"] = beyond
        self._note_what_is_missing(measures)
        curves = self._curves(measures, trend)
        return ShiftPanel(
            conditions=self.conditions,
            shift=self.shift,
            layout=self.layout,
            settings=self.settings,
            curves=tuple(sorted(curves, key=lambda c: -c.best.measures["mean"].value)),
            line=line,
            correlation=correlation,
            reference=self.reference,
            same_images=self.reader.same_images(self.points, self.layout.keys),
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _measure_points(self) -> tuple[list[dict[str, Measure]], tuple[Floats, Floats]]:
        """Every point's measures, and the replicates (R, P) of its clean and mean accuracy."""
        keys, replicates = self.layout.keys, self.settings.replicates
        unit = None
        if self.reference:
            drawn = self.reader.draw([self.reference], keys, replicates)
            unit = next(((shifted, clean) for _, shifted, clean in drawn), None)
        measures = [self._measure(point) for point in self.points]
        samples = np.full((2, replicates, len(self.points)), np.nan)
        for place, shifted, clean in self.reader.draw(self.points, keys, replicates):
            samples[:, :, place] = clean, macro_mean(self.layout, shifted)
            measures[place] = self._measure(self.points[place], (shifted, clean), unit)
        return measures, (samples[0], samples[1])

    def _measure(
        self,
        point: FrontierPoint,
        samples: tuple[Floats, Floats] | None = None,
        unit: tuple[Floats, Floats] | None = None,
    ) -> dict[str, Measure]:
        measures = measure_point(
            self.layout,
            point,
            reference=self.reference,
            samples=samples,
            reference_samples=unit,
            confidence=self.settings.confidence,
        )
        clean, shifted = point.calibration.get("clean"), mean_calibration(self.layout, point)
        if clean:
            measures["ece/clean"] = Measure(clean.value, clean.n, (clean.low, clean.high))
        if shifted:
            measures["ece/shifted"] = shifted
        return measures

    def _trend(self, samples: tuple[Floats, Floats]) -> Trend | None:
        """Clean and mean shifted accuracy of all points; None with a note where there is none."""
        keys = self.layout.keys
        shifted = [[point.ood_accuracy[key] for key in keys] for point in self.points]
        accuracy = np.array([[estimate.value for estimate in row] for row in shifted])
        try:
            return Trend.of(
                clean=np.array([point.accuracy.value for point in self.points]),
                ood=macro_mean(self.layout, accuracy),
                n=(
                    np.array([point.accuracy.n for point in self.points]),
                    np.array([sum(estimate.n for estimate in row) for row in shifted]),
                ),
                images=min(images(self.layout, point) for point in self.points),
                samples=samples,
                confidence=self.settings.confidence,
            )
        except DataError as error:
            self.notes.append(str(error))
            return None

    def _curves(self, measures: list[dict[str, Measure]], trend: Trend | None) -> list[ShiftCurve]:
        by_strategy: dict[str, dict[Run, list[int]]] = {}
        for place, (run, point) in enumerate(self.entries):
            by_strategy.setdefault(point.strategy, {}).setdefault(run, []).append(place)
        curves = []
        for strategy, by_run in by_strategy.items():
            trajectories = tuple(
                tuple(MeasuredPoint(self.points[place], measures[place]) for place in places)
                for places in by_run.values()
            )
            correlation = None
            if trend is not None:
                correlation = self._correlation(strategy, list(chain(*by_run.values())), trend)
            curves.append(ShiftCurve(strategy, trajectories, correlation))
        return curves

    def _correlation(self, strategy: str, places: list[int], trend: Trend) -> Correlation | None:
        try:
            return Correlation.of(trend.part(np.array(places)))
        except DataError as error:
            self.notes.append(f"{strategy}: {error}")
            return None

    def _note_what_is_missing(self, measures: list[dict[str, Measure]]) -> None:
        if self.settings.replicates:
            others = [self.reference] if self.reference else []
            missing = self.reader.missing([*self.points, *others])
            self.notes += [f"no interval of what is derived: {why}" for why in missing[:1]]
            if len(missing) > 1:
                self.notes.append(f"the same of {len(missing) - 1} more points")
        if not self.layout.severities or self.settings.reference is None:
            return
        if self.reference is None:
            folder = self.settings.reference.run.folder
            self.notes.append(
                f"no mCE: {folder} was not evaluated on these sets of this benchmark and split"
            )
        elif not {"mce", "relative_mce"} <= measures[0].keys():
            self.notes.append(
                "mCE is left out where the reference has no error, or loses nothing, under some "
                "corruption"
            )
