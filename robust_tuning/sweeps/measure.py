"""What a run is worth to a sweep: the file's metric, read from the run folder."""

import csv
import difflib
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import FrontierPoint, read_points
from robust_tuning.frontier.by_threat import areas
from robust_tuning.frontier.store import FILE_NAME

_FAMILIES = ("robust_accuracy", "ood_accuracy", "calibration")
_NAMES = ("frontier/area", "frontier/accuracy", *(f"frontier/{kind}/KEY" for kind in _FAMILIES))

# Of a run so far; None where it has not been measured.
_Reading = Callable[[Sequence[FrontierPoint]], float | None]


def check_metric(name: str) -> None:
    """Refuse what no run logs below `frontier/`; other names are looked up in `metrics.csv`.

    Raises:
        ConfigurationError: With what there is.
    """
    if name.startswith("frontier") and _reading(name) is None:
        near = difflib.get_close_matches(name, _NAMES, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        message = f"metric: no run logs {name!r}; {hint}known: {', '.join(_NAMES)}"
        raise ConfigurationError(message)


def history(folder: Path, metric: str) -> list[float]:
    """The values of a metric in a run folder, oldest first; the last is the run's.

    Args:
        folder: The run folder, of a run that may be in progress.
        metric: Its name, as the loggers have it.
    """
    reading = _reading(metric)
    if reading is None:
        return _curve(folder / "metrics.csv", metric)
    points = training_points(folder)
    values = (reading(points[: count + 1]) for count in range(len(points)))
    return [value for value in values if value is not None]


def best_compromise(folder: Path, metric: str | None) -> tuple[float, float] | None:
    """Accuracy and robust accuracy of the point where their product is largest.

    The product is the area that a point dominates by itself.

    Args:
        folder: The run folder.
        metric: `frontier/robust_accuracy/THREAT`; None takes the mean over the threats.
    """
    threat = None if metric is None else metric.removeprefix("frontier/robust_accuracy/")
    pairs = []
    for point in training_points(folder):
        robust = point.robust_accuracy.items()
        chosen = [estimate.value for name, estimate in robust if threat in (None, name)]
        if chosen:
            pairs.append((point.accuracy.value, sum(chosen) / len(chosen)))
    return max(pairs, key=lambda pair: (pair[0] * pair[1], *pair), default=None)


def training_points(folder: Path) -> list[FrontierPoint]:
    """The points of the split that the run was measured on while it trained."""
    if not (folder / FILE_NAME).exists():
        return []
    with warnings.catch_warnings():  # the line being written is none yet
        warnings.simplefilter("ignore")
        points = read_points(folder)
    return [point for point in points if point.split == points[0].split]


def _reading(metric: str) -> _Reading | None:
    """How a metric is read from points; None for one that is not made of them."""
    if metric == "frontier/accuracy":
        return lambda points: points[-1].accuracy.value
    if metric == "frontier/area":
        return lambda points: _mean(list(areas(points).values()))
    if found := re.fullmatch(r"frontier/area/(.+)", metric):
        threat = found[1]
        return lambda points: areas(points).get(threat)
    if found := re.fullmatch(rf"frontier/({'|'.join(_FAMILIES)})/(.+)", metric):
        kind, key = found[1], found[2]
        return lambda points: _last(points[-1], kind, key)
    return None


def _last(point: FrontierPoint, kind: str, key: str) -> float | None:
    estimates = getattr(point, kind)
    if key in estimates:
        value: float = estimates[key].value
        return value
    return point.shift_means.get(key.removesuffix("-mean")) if kind == "ood_accuracy" else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _curve(path: Path, metric: str) -> list[float]:
    if not path.is_file():
        return []
    # What is being written may end in the middle of a row.
    lines = path.read_text(encoding="utf-8").rpartition("\n")[0].split("\n")
    return [float(row[2]) for row in csv.reader(lines) if len(row) == 3 and row[1] == metric]
