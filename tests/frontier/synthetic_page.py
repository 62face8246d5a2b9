"""Runs with all that the report shows: attacks, shifts, configurations, examples, verdicts."""

from pathlib import Path

import numpy as np

from robust_tuning.frontier import find_runs
from robust_tuning.frontier.comparison import AreaSettings, Comparison, compare
from robust_tuning.frontier.page_data import Verdicts
from robust_tuning.frontier.shift_comparison import compare_shifts
from robust_tuning.frontier.shift_panel import ShiftPanel, ShiftSettings
from robust_tuning.frontier.store import Run
from robust_tuning.frontier.verdict import Difference, Scalar, Verdict
from tests.frontier.synthetic import write_run
from tests.frontier.synthetic_shifts import write_shifted_run

Report = tuple[list[Comparison], list[ShiftPanel], Verdicts, list[Run]]
CLASSES = ("ibis", "</script><b>gnu", "tripod", "canoe")


def write_examples(folder: Path, *, threat: str = "linf-1/255", side: int = 32, k: int = 4) -> Path:
    """Write examples as an evaluation does: all but the first are fooled."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side] / side
    faces = np.stack([rows, columns, 1 - rows * columns])
    clean = (255 * (faces[None] + np.arange(k)[:, None, None, None] / k) % 256).astype(np.uint8)
    change = generator.choice([-1, 1], clean.shape) / 255
    label = np.arange(k) % len(CLASSES)
    fooled = (label + (np.arange(k) > 0)) % len(CLASSES)
    path = folder / "examples" / f"{threat.replace('/', 'of')}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        step=np.int64(1500),
        index=np.arange(k) * 7,
        label=label,
        clean=clean,
        perturbation=change.astype(np.float16),
        predicted_clean=label,
        predicted_adversarial=fooled,
        class_names=np.array(CLASSES),
    )
    return path


def write_everything(
    folder: Path,
    strategies: tuple[str, ...] = ("LoRA", "BitFit"),
    *,
    seeds: int = 1,
    examples: int = 200,
    steps: tuple[int, ...] = (0, 200, 400, 1000),
) -> Path:
    """Attacked runs with configurations and examples, and as many with shifted images."""
    for strategy in strategies:
        for seed in range(seeds):
            run = write_run(
                folder / f"{strategy}-{seed}", strategy, seed=seed, examples=examples, steps=steps
            )
            (run / "config.yaml").write_text(f"strategy: {strategy}\nseed_everything: {seed}\n")
        write_examples(folder / f"{strategy}-0", side=64)
        write_shifted_run(
            folder / f"{strategy}-ood", strategy, examples=examples, steps=steps, severities=(3,)
        )
    return folder


def make_verdict(strategies: tuple[str, ...]) -> Verdict:
    first, *others = strategies
    return Verdict(
        sentence=f"Take {first}: its area is the largest, and that is more than chance.",
        groups=((first,), tuple(others)),
        scalars={
            strategy: (Scalar("area", 0.4, (0.3, 0.5)), Scalar("steps_to_peak", 200.0, None))
            for strategy in strategies
        },
        definitions={
            "area": "the area",
            "steps_to_peak": "the step of the highest robust accuracy",
        },
        differences=tuple(
            Difference(first, other, 0.05, (0.01, 0.09), called=True) for other in others
        ),
        warnings=("One seed per strategy: <i>training noise</i> is not in the intervals.",),
        notes=("Intervals cover the sampling of images.",),
    )


def report_of(folder: Path, *, with_verdicts: bool = True, replicates: int = 50) -> Report:
    runs = find_runs([folder])
    comparisons = compare(runs, AreaSettings(replicates=replicates))
    panels = compare_shifts(runs, ShiftSettings(replicates=replicates))
    verdicts = {
        (comparison.conditions, panel.threat): make_verdict(
            tuple(curve.strategy for curve in panel.curves)
        )
        for comparison in comparisons
        for panel in comparison.panels
    }
    return comparisons, panels, verdicts if with_verdicts else {}, runs
