"""The Pareto frontier of accuracy and robust accuracy, and the area that it dominates."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robust_tuning.errors import ConfigurationError, DataError

Interpolation = Literal["staircase", "linear"]
Normalisation = Literal["none", "best"]
Floats = NDArray[np.float64]


def pareto_mask(accuracy: ArrayLike, robust: ArrayLike) -> NDArray[np.bool_]:
    """Which points no other point dominates, both quantities being better when larger.

    A point dominates another if it is at least as large in both and larger in one. Of several
    equal points the first alone is a member.

    Args:
        accuracy: (n,), accuracies.
        robust: (n,), robust accuracies.

    Returns:
        bool (n,), True for members.

    Raises:
        DataError: Unequal lengths, or a value that is not finite.

    >>> pareto_mask([0.9, 0.8, 0.7, 0.9], [0.1, 0.3, 0.2, 0.1]).tolist()
    [True, True, False, False]
    """
    accuracy, robust = _columns(accuracy, robust)
    order = np.lexsort((-robust, -accuracy))  # stable: of equal points the first comes first
    falling = robust[order]
    best_before = np.maximum.accumulate(np.concatenate([[-np.inf], falling]))[:-1]
    mask = np.empty(len(order), dtype=bool)
    mask[order] = falling > best_before
    return mask


def dominated_area(
    accuracy: ArrayLike,
    robust: ArrayLike,
    *,
    reference: tuple[float, float] = (0.0, 0.0),
    interpolation: Interpolation = "staircase",
) -> float:
    """The area between the frontier of some points and a reference point.

    Only points above the reference in both quantities count; without any the area is 0.

    - `"staircase"`: the area of the union of the rectangles between the reference and each point,
      that is the hypervolume of Zitzler and Thiele (1999). It never shrinks when a point is added.
    - `"linear"`: the area below the polyline through the frontier's members in order of accuracy,
      continued horizontally from the first member to the reference's accuracy and vertically from
      the last down to the reference's robust accuracy. At least as large as the staircase's. It
      claims that every mixture of two neighbours can be had, and it can shrink when a member is
      added below the line between two others.

    Args:
        accuracy: (n,), accuracies.
        robust: (n,), robust accuracies.
        reference: Accuracy and robust accuracy of the corner that areas are measured from.
        interpolation: What joins neighbouring members.

    Raises:
        DataError: Unequal lengths, or a value that is not finite.
        ConfigurationError: An unknown interpolation or a reference outside [0, 1).

    >>> round(dominated_area([0.8, 0.4], [0.25, 0.5]), 3)
    0.3
    >>> round(dominated_area([0.8, 0.4], [0.25, 0.5], interpolation="linear"), 3)
    0.35
    """
    check_area(reference, interpolation)
    accuracy, robust = _columns(accuracy, robust)
    order = np.lexsort((robust, accuracy))
    return float(areas_of_sorted(accuracy[order], robust[order], reference, interpolation))


def area_definition(
    reference: tuple[float, float] = (0.0, 0.0),
    interpolation: Interpolation = "staircase",
    normalise: Normalisation = "none",
) -> str:
    """One line that says what an area is, to stand beside every area.

    >>> area_definition()
    'area dominated by the Pareto frontier (staircase) above accuracy 0 and robust accuracy 0'
    """
    check_area(reference, interpolation, normalise)
    what = {
        "staircase": "area dominated by the Pareto frontier (staircase)",
        "linear": "area below the Pareto frontier (straight lines between its members)",
    }[interpolation]
    share = {"none": "", "best": ", as a share of the area of a model that is always right"}
    corner = f"accuracy {reference[0]:g} and robust accuracy {reference[1]:g}"
    return f"{what} above {corner}{share[normalise]}"


def largest_area(reference: tuple[float, float], normalise: Normalisation) -> float:
    """What areas are divided by: 1, or the area of the ideal point (1, 1).

    >>> largest_area((0.5, 0.2), "none"), largest_area((0.5, 0.2), "best")
    (1.0, 0.4)
    """
    return 1.0 if normalise == "none" else (1 - reference[0]) * (1 - reference[1])


def check_area(reference: tuple[float, float], interpolation: str, normalise: str = "none") -> None:
    """Raise a ConfigurationError unless the three define an area."""
    if normalise not in get_args(Normalisation):
        known = " or ".join(map(repr, get_args(Normalisation)))
        message = f"normalise is {normalise!r}: expected {known}"
        raise ConfigurationError(message)
    if interpolation not in get_args(Interpolation):
        known = " or ".join(map(repr, get_args(Interpolation)))
        message = f"interpolation is {interpolation!r}: expected {known}"
        raise ConfigurationError(message)
    if not all(0 <= value < 1 for value in reference):
        message = f"reference is {reference}: expected accuracy and robust accuracy in [0, 1)"
        raise ConfigurationError(message)


def areas_of_sorted(
    accuracy: Floats, robust: Floats, reference: tuple[float, float], interpolation: Interpolation
) -> Floats:
    """Areas of many sets of points at once.

    Args:
        accuracy: (..., n), ascending along the last axis.
        robust: (..., n), ascending where accuracies are equal.
        reference: See `dominated_area`.
        interpolation: See `dominated_area`.

    Returns:
        (...), one area per set.
    """
    # A point that is not above the reference becomes one of no width or no height.
    width = np.maximum(accuracy - reference[0], 0.0)
    height = np.where(width > 0, np.maximum(robust - reference[1], 0.0), 0.0)
    best_from_here = np.maximum.accumulate(height[..., ::-1], axis=-1)[..., ::-1]
    area: Floats = np.sum(np.diff(width, axis=-1, prepend=0.0) * best_from_here, axis=-1)
    if interpolation == "linear":
        area = area + _triangles(width, height, best_from_here)
    return area


def _triangles(width: Floats, height: Floats, best_from_here: Floats) -> Floats:
    """What the line between neighbouring members adds to the staircase: half of each step."""
    best_after = np.concatenate([best_from_here[..., 1:], np.zeros_like(height[..., :1])], axis=-1)
    member = height > best_after
    # The position of the last member before each point, -1 where there is none.
    position = np.where(member, np.arange(height.shape[-1]), -1)
    last = np.maximum.accumulate(position, axis=-1)
    before = np.concatenate([np.full_like(last[..., :1], -1), last[..., :-1]], axis=-1)
    run = width - np.take_along_axis(width, before, axis=-1)
    fall = np.take_along_axis(height, before, axis=-1) - height
    triangles: Floats = np.sum(np.where(member & (before >= 0), run * fall / 2, 0.0), axis=-1)
    return triangles


def _columns(accuracy: ArrayLike, robust: ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(accuracy, dtype=np.float64), np.asarray(robust, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        message = (
            f"accuracies have shape {x.shape}, robust accuracies {y.shape}: expected (n,) both"
        )
        raise DataError(message)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        message = "an accuracy is not finite: expected fractions in [0, 1]"
        raise DataError(message)
    return x, y
