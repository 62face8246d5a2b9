"""Accuracy on the line: OOD accuracy as the clean accuracy lets one expect it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from robust_tuning.frontier.measure import Measure
from robust_tuning.frontier.trend import Trend, from_probit

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """Least-squares lines `y = slope x + intercept`: one, or one per replicate.

    Attributes:
        slope: float64 (...).
        intercept: float64 (...).
        r_squared: float64 (...), the share of the variance of `y` that the line explains.
    """

    slope: Floats
    intercept: Floats
    r_squared: Floats

    @classmethod
    def through(cls, x: Floats, y: Floats) -> Self:
        """Fit points, (..., P) each; NaN where all `x` or all `y` are equal."""
        mean_x, mean_y = x.mean(axis=-1, keepdims=True), y.mean(axis=-1, keepdims=True)
        cross = ((x - mean_x) * (y - mean_y)).sum(axis=-1)
        spread_x, spread_y = ((x - mean_x) ** 2).sum(axis=-1), ((y - mean_y) ** 2).sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = cross / spread_x
            r_squared = cross**2 / (spread_x * spread_y)
        return cls(slope, mean_y[..., 0] - slope * mean_x[..., 0], r_squared)

    def predict(self, x: Floats) -> Floats:
        """The line at `x`, (..., P)."""
        return np.asarray(self.slope[..., None] * x + self.intercept[..., None])


@dataclass(frozen=True, slots=True)
class LineFit:
    """The line through measured points, on the probit scale of both axes, unweighted.

    On this scale accuracies on one distribution are close to linear in those on another (Taori et
    al. 2020, "Measuring robustness to natural distribution shifts in image classification"; Miller
    et al. 2021, "Accuracy on the line").

    Attributes:
        slope: On the probit scale.
        intercept: On the probit scale.
        r_squared: The share of the variance of the OOD probits that the line explains.
        points: Through how many points.
        effective_robustness: By point, its OOD accuracy less that which the line gives at its
            clean accuracy (Taori et al. 2020, section 2). Theirs is the line of models that were
            trained without robustness in mind; this one is that of the given points, so that
            their deviations balance.
    """

    slope: Measure
    intercept: Measure
    r_squared: Measure
    points: int
    effective_robustness: tuple[Measure, ...]

    @classmethod
    def of(cls, trend: Trend) -> Self:
        """Fit a trend; the line is fitted anew in every replicate."""
        (clean, x), (ood, y) = trend.clean, trend.ood
        (_, again_x), (again_ood, again_y) = trend.samples
        line, again = Line.through(x, y), Line.through(again_x, again_y)
        slope, intercept = trend.measures(
            np.array([line.slope, line.intercept]), np.stack([again.slope, again.intercept], axis=1)
        )
        (r_squared,) = trend.measures(line.r_squared[None], again.r_squared[:, None], (0.0, 1.0))
        beyond = trend.measures(
            ood - from_probit(line.predict(x)),
            again_ood - from_probit(again.predict(again_x)),
            (-1.0, 1.0),
        )
        return cls(slope, intercept, r_squared, len(clean), tuple(beyond))

    @property
    def equation(self) -> str:
        """The line in words that name its scale."""
        sign = "-" if self.intercept.value < 0 else "+"
        intercept = f"{sign} {abs(self.intercept.value):.2f}"
        return f"probit(OOD) = {self.slope.value:.2f} probit(clean) {intercept}"
