"""What Weights & Biases shows of a run besides curves: a table, charts, pictures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from robust_tuning.frontier import Estimate, FrontierPoint
from robust_tuning.frontier.examples import PerturbedExamples

if TYPE_CHECKING:
    from wandb import Image, Table

# Rows of the table, which is sent whole at every evaluation.
MOST_ROWS = 500


def media(
    points: Sequence[FrontierPoint], examples: Mapping[str, PerturbedExamples]
) -> dict[str, Any]:
    """The table of the points, a chart for each threat, and pictures, by their keys."""
    import wandb

    shown = thinned(points)
    threats = dict.fromkeys(threat for point in shown for threat in point.robust_accuracy)
    return {
        "frontier/points": points_table(shown),
        **{
            f"frontier/chart/{threat}": wandb.plot.scatter(
                threat_table(shown, threat),
                x="accuracy",
                y="robust accuracy",
                title=f"Robust accuracy ({threat}) against accuracy",
            )
            for threat in threats
        },
        **{f"frontier/examples/{threat}": pictures(some) for threat, some in examples.items()},
    }


def thinned(points: Sequence[FrontierPoint], most: int = MOST_ROWS) -> list[FrontierPoint]:
    """At most so many of the points, evenly spread, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[place] for place in np.linspace(0, len(points) - 1, most).round().astype(int)]


def points_table(points: Sequence[FrontierPoint]) -> "Table":
    """A row for each point; a column stays empty where a point does not have its number.

    Of shifts with several sets there is the mean alone.
    """
    import wandb

    rows = [
        {
            "step": point.step,
            "split": point.split,
            "n": point.accuracy.n,
            **_columns("accuracy", point.accuracy),
            **{
                name: value
                for threat, estimate in point.robust_accuracy.items()
                for name, value in _columns(f"robust {threat}", estimate).items()
            },
            **{f"{shift} mean": value for shift, value in point.shift_means.items()},
        }
        for point in points
    ]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    data = [[row.get(name) for name in columns] for row in rows]
    return wandb.Table(columns=columns, data=data)


def threat_table(points: Sequence[FrontierPoint], threat: str) -> "Table":
    """Accuracy and robust accuracy of the points that were attacked under a threat."""
    import wandb

    data = [
        [point.accuracy.value, point.robust_accuracy[threat].value, point.step, point.split]
        for point in points
        if threat in point.robust_accuracy
    ]
    return wandb.Table(columns=["accuracy", "robust accuracy", "step", "split"], data=data)


def pictures(examples: PerturbedExamples) -> "list[Image]":
    """Each example as it is, what the attack adds, and their sum, side by side."""
    import wandb
    from PIL import Image

    name = examples.name
    shown = []
    for i, index in enumerate(examples.index.tolist()):
        image, scale = side_by_side(examples.clean[i], examples.perturbation[i])
        before, after = examples.predicted_clean[i], examples.predicted_adversarial[i]
        caption = (
            f"{examples.split} {index}, {name(examples.label[i])}: "
            f"taken for {name(before)} | perturbation x {scale:.3g} | taken for {name(after)}"
        )
        shown.append(wandb.Image(Image.fromarray(image), caption=caption, file_type="jpg"))
    return shown


def side_by_side(
    clean: NDArray[np.uint8], perturbation: NDArray[np.float16]
) -> tuple[NDArray[np.uint8], float]:
    """One image of three: clean, perturbation around grey, adversarial.

    Args:
        clean: `(3, H, W)`.
        perturbation: `(3, H, W)` in [0, 1] pixel units.

    Returns:
        The image `(H, 3 W, 3)`, and by how much the perturbation is multiplied so that its largest
        value becomes black or white.
    """
    offset = perturbation.astype(np.float64)
    largest = float(np.abs(offset).max())
    scale = 0.5 / largest if largest else 1.0
    parts = [clean / 255, 0.5 + scale * offset, np.clip(clean / 255 + offset, 0, 1)]
    image = (255 * np.concatenate(parts, axis=2)).round().astype(np.uint8)
    return np.ascontiguousarray(image.transpose(1, 2, 0)), scale


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name} low": estimate.low, f"{name} high": estimate.high}
