"""What is derived from the accuracies of a shift's sets: means, the worst group, mCE.

The names of the measures, which are those of `ood_summary.csv`:

- `group/fog`: mean over the severities of a corruption, or the accuracy of a domain.
- `severity/3`: mean over the corruptions at a severity.
- `mean`: mean over the groups, each counting alike: the macro mean.
- `pooled`: of all images together, each counting alike.
- `worst`: the least of the groups.
- `error`: one less `mean`. Of corruptions this is the mean corruption error, not normalised.
- `excess_error`: `error` less the error on clean images: what the shift costs.
- `mce`, `relative_mce`: the error in units of a reference model's, see `corruption_error`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_tuning.frontier.measure import Measure, measure_all
from robust_tuning.frontier.point import Estimate, FrontierPoint
from robust_tuning.frontier.shift_layout import Positions, ShiftLayout

Floats = NDArray[np.float64]

_BOUNDS = {"mce": (0.0, np.inf), "relative_mce": (-np.inf, np.inf), "excess_error": (-1.0, 1.0)}


def derived_values(
    layout: ShiftLayout,
    accuracy: Floats,
    clean: Floats,
    counts: Sequence[int],
    reference: tuple[Floats, Floats] | None = None,
) -> dict[str, Floats]:
    """Compute every measure, of one evaluation or of all its bootstrap replicates.

    Args:
        layout: Of the shift, with K sets.
        accuracy: float64 (..., K), of the sets, in [0, 1].
        clean: float64 (...), on clean images.
        counts: How many images each set has, K numbers.
        reference: `accuracy` and `clean` of the reference model, for mCE.

    Returns:
        float64 (...) by the name of the measure; those of mCE are NaN where they are undefined.
    """
    by_group, by_severity = _means(accuracy, layout.groups), _means(accuracy, layout.severities)
    values = {f"group/{name}": by_group[..., i] for i, name in enumerate(layout.groups)}
    values |= {f"severity/{name}": by_severity[..., i] for i, name in enumerate(layout.severities)}
    mean = by_group.mean(axis=-1)
    values |= {
        "mean": mean,
        "pooled": accuracy @ (np.asarray(counts) / np.sum(counts)),
        "worst": by_group.min(axis=-1),
        "error": 1 - mean,
        "excess_error": clean - mean,
    }
    if reference is not None:
        other, other_clean = reference
        values["mce"] = corruption_error(layout, accuracy, other)
        values["relative_mce"] = corruption_error(
            layout, accuracy, other, clean=clean, reference_clean=other_clean
        )
    return values


def macro_mean(layout: ShiftLayout, accuracy: Floats) -> Floats:
    """The mean over the groups of the mean within each, float64 (...), from (..., K)."""
    return np.asarray(_means(accuracy, layout.groups).mean(axis=-1))


def corruption_error(
    layout: ShiftLayout,
    accuracy: Floats,
    reference: Floats,
    *,
    clean: Floats | float = 1.0,
    reference_clean: Floats | float = 1.0,
) -> Floats:
    """The mean corruption error of a model relative to a reference model.

    `CE_c = Σ_s E_{s,c} / Σ_s E_{s,c}^ref`, averaged over the corruptions `c`; with the clean
    accuracies given it is the relative one, whose numerator and denominator are
    `Σ_s (E_{s,c} - E_clean)` (Hendrycks and Dietterich 2019, "Benchmarking neural network
    robustness to common corruptions and perturbations", section 4; theirs is AlexNet). 1 is the
    reference itself.

    Args:
        layout: Of the shift, with K sets.
        accuracy: float64 (..., K).
        reference: float64 (..., K), of the reference model.
        clean: float64 (...), the model's accuracy on clean images, for the relative error.
        reference_clean: float64 (...), the reference model's.

    Returns:
        float64 (...); NaN where the reference has no error, or loses nothing, under some
        corruption.
    """
    error = np.asarray(clean)[..., None] - _means(accuracy, layout.groups)
    unit = np.asarray(reference_clean)[..., None] - _means(reference, layout.groups)
    # Rounding may leave a trace of the nothing that is lost.
    return np.asarray((error / np.where(unit > 1e-12, unit, np.nan)).mean(axis=-1))


def measure_point(
    layout: ShiftLayout,
    point: FrontierPoint,
    *,
    reference: FrontierPoint | None = None,
    samples: tuple[Floats, Floats] | None = None,
    reference_samples: tuple[Floats, Floats] | None = None,
    confidence: float = 0.95,
) -> dict[str, Measure]:
    """Every measure of one point, with its interval.

    A measure that is one plain proportion has Wilson's interval, any other the basic bootstrap
    interval over images.

    Args:
        layout: Of the shift.
        point: What was measured.
        reference: The reference model's point, for mCE.
        samples: Replicates of the accuracies (replicates, K) and of the clean accuracy
            (replicates,); None gives no bootstrap intervals.
        reference_samples: The same of the reference, of the same replicates.
        confidence: Coverage, inside (0, 1).

    Returns:
        By name; a measure that is undefined is left out.
    """
    estimates = [point.ood_accuracy[key] for key in layout.keys]
    counts = [estimate.n for estimate in estimates]
    other = _accuracies(layout, reference) if reference else None
    values = derived_values(layout, *_accuracies(layout, point), counts, other)
    replicates: dict[str, Floats] = {}
    if samples is not None:
        replicates = derived_values(layout, *samples, counts, reference_samples)
    names = [name for name, value in values.items() if np.isfinite(value)]
    drawn = None
    if replicates:  # of mCE there are none where the reference's examples are not known
        unknown = np.full_like(replicates["mean"], np.nan)
        drawn = np.stack([replicates.get(name, unknown) for name in names])
    low, high = np.array([_BOUNDS.get(name, (0.0, 1.0)) for name in names]).T
    found = measure_all(
        np.array([float(values[name]) for name in names]),
        images(layout, point),
        drawn,
        confidence=confidence,
        bounds=(low, high),
    )
    measures = dict(zip(names, found, strict=True))
    for name, estimate in _proportions(layout, estimates).items():
        measures[name] = Measure.of_proportion(estimate, confidence)
    return measures


def mean_calibration(layout: ShiftLayout, point: FrontierPoint) -> Measure | None:
    """The mean calibration error over the sets that it was measured on, all of them.

    Single confidences are not stored, so the ends of the interval are the means of the sets' ends:
    as wide as if all sets erred together, which is never too narrow for a mean.

    Returns:
        None where a set's error was not measured.
    """
    if any(key not in point.calibration for key in layout.keys):
        return None
    chosen = [point.calibration[key] for key in layout.keys]
    value, low, high = (
        float(np.mean([getattr(estimate, name) for estimate in chosen]))
        for name in ("value", "low", "high")
    )
    return Measure(value, images(layout, point), (low, high))


def images(layout: ShiftLayout, point: FrontierPoint) -> int:
    """How many different images a point's sets have.

    Those of corruptions are taken to be the same ones, corrupted in many ways, and sets without
    severities to be of images of their own.
    """
    counts = [point.ood_accuracy[key].n for key in layout.keys]
    return max(counts) if layout.severities else sum(counts)


def worst_group(layout: ShiftLayout, measures: Mapping[str, Measure]) -> str:
    """The name of the group with the least accuracy."""
    return min(layout.groups, key=lambda name: measures[f"group/{name}"].value)


def _means(accuracy: Floats, parts: Mapping[Any, Positions]) -> Floats:
    """The means of accuracies (..., K) over each of some parts: (..., parts)."""
    weights = np.zeros((accuracy.shape[-1], len(parts)))
    for column, places in enumerate(parts.values()):
        weights[list(places), column] = 1 / len(places)
    return np.asarray(accuracy @ weights)


def _accuracies(layout: ShiftLayout, point: FrontierPoint) -> tuple[Floats, Floats]:
    accuracy = np.array([point.ood_accuracy[key].value for key in layout.keys])
    return accuracy, np.asarray(point.accuracy.value)


def _proportions(layout: ShiftLayout, estimates: Sequence[Estimate]) -> dict[str, Estimate]:
    """Those measures that are a count of different images, and nothing else."""
    found = {
        f"{kind}/{name}": estimates[places[0]]
        for kind, parts in (("group", layout.groups), ("severity", layout.severities))
        for name, places in parts.items()
        if len(places) == 1
    }
    if len(estimates) == 1:
        found |= dict.fromkeys(("mean", "worst"), estimates[0])
    if not layout.severities or len(estimates) == 1:
        successes = sum(estimate.successes for estimate in estimates)
        found["pooled"] = Estimate.of(successes, sum(estimate.n for estimate in estimates))
    return found
