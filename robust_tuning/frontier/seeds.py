"""Which runs differ in nothing but their seed, and drawing the seeds anew."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from robust_tuning.frontier.evaluations import Evaluation, origin
from robust_tuning.frontier.point import FrontierPoint
from robust_tuning.frontier.store import Run


def setting_of(run: Run, point: FrontierPoint) -> tuple[str, ...]:
    """Everything that was chosen for a run besides its seed and its name.

    That is its `config.yaml` without the lines of the seed and of the run's folder; without the
    file the strategy, its arguments and the objective, which do not tell learning rates apart.
    """
    folder = origin(run)
    try:
        lines = (folder / "config.yaml").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        lines = []
    own = f"/{folder.name}", f" {folder.name}"
    chosen = [
        line
        for line in lines
        if not line.startswith("seed_everything:") and not line.rstrip().endswith(own)
    ]
    arguments = sorted(map(str, point.strategy_args.items()))
    return point.strategy, point.objective, *arguments, *chosen


def seeds_by_setting(
    evaluations: Sequence[Evaluation],
) -> dict[tuple[str, ...], dict[int, list[int]]]:
    """By setting and seed the positions of the evaluations."""
    settings: dict[Run, tuple[str, ...]] = {}
    found: dict[tuple[str, ...], dict[int, list[int]]] = {}
    for position, one in enumerate(evaluations):
        if one.run not in settings:
            settings[one.run] = setting_of(one.run, one.point)
        of_setting = found.setdefault(settings[one.run], {})
        of_setting.setdefault(one.point.seed, []).append(position)
    return found


def seed_draws(
    evaluations: Sequence[Evaluation], replicates: int, seed: int = 0
) -> tuple[NDArray[np.bool_] | None, tuple[int, int]]:
    """Draw the seeds of each setting with replacement; a seed drawn twice counts once in a union.

    Args:
        evaluations: Of one curve.
        replicates: How many draws.
        seed: Of the draws; curves of other runs are drawn independently.

    Returns:
        Whether each evaluation is kept, bool (replicates, evaluations), or None if no setting has
        several seeds; and the fewest and the most seeds of the settings that have several.
    """
    several = [seeds for seeds in seeds_by_setting(evaluations).values() if len(seeds) > 1]
    if not several:
        return None, (1, 1)
    first = f"{evaluations[0].point.strategy} {evaluations[0].run.folder.name}"
    generator = np.random.default_rng([seed, 1, *first.encode()])
    kept = np.ones((replicates, len(evaluations)), dtype=bool)
    for seeds in several:
        drawn = generator.integers(len(seeds), size=(replicates, len(seeds)))
        for number, positions in enumerate(seeds.values()):
            kept[:, positions] = (drawn == number).any(axis=1)[:, None]
    counts = [len(seeds) for seeds in several]
    return kept, (min(counts), max(counts))
