"""Runs that look like real ones: accuracy rises to a plateau, robust accuracy peaks and falls."""

from pathlib import Path
from statistics import NormalDist

import numpy as np

from robust_tuning.frontier import (
    AttackIdentity,
    Cost,
    Estimate,
    ExampleOutcomes,
    FrontierPoint,
    append_point,
)
from robust_tuning.frontier.outcomes import outcomes_path

STRATEGIES = {  # peak robustness, how fast it is lost, trainable parameters
    "Compacter": (0.60, 0.9, 57_088),
    "BitFit": (0.57, 0.9, 103_680),
    "IA3": (0.52, 1.0, 64_512),
    "FullFineTuning": (0.50, 1.5, 86_389_248),
    "LinearProbe": (0.42, 1.0, 197_376),
    "LoRA": (0.44, 1.2, 1_179_648),
    "Adapter": (0.40, 1.2, 3_559_680),
}
THREATS = {"linf-1/255": 1.0, "linf-2/255": 0.62, "linf-4/255": 0.28}
STEPS = (0, 50, 100, 200, 300, 400, 600, 800, 1000, 1500)
PGD = AttackIdentity("robust_tuning.attacks.PGD", {"steps": 15, "restarts": 1}, "5f3a9c01d2")


def make_point(**changes: object) -> FrontierPoint:
    values: dict[str, object] = {
        "run": "run-0",
        "time": "2025-06-01T12:00:00+00:00",
        "code_version": "0.1.0",
        "config_hash": "c0ffee",
        "benchmark": "caltech256",
        "backbone": "vit_base_patch16_224 #1a2b3c",
        "strategy": "LoRA",
        "strategy_args": {"rank": 8},
        "objective": "CrossEntropy",
        "seed": 0,
        "split": "validation",
        "step": 50,
        "epoch": 0,
        "trainable_parameters": 1_179_648,
        "total_parameters": 86_600_000,
        "accuracy": Estimate.of(8, 10),
        "robust_accuracy": {"linf-1/255": Estimate.of(3, 10)},
        "ood_accuracy": {"gaussian_noise-3": Estimate.of(6, 10)},
        "attack": PGD,
        "cost": Cost(1.5, 100, 80),
    }
    return FrontierPoint(**{**values, **changes})  # type: ignore[arg-type]  # named by the tests


def write_run(
    folder: Path,
    strategy: str = "LoRA",
    *,
    seed: int = 0,
    examples: int = 1000,
    steps: tuple[int, ...] = STEPS,
    threats: tuple[str, ...] = tuple(THREATS),
    with_outcomes: bool = True,
) -> Path:
    """Write a whole run; examples are as hard for one strategy as for another."""
    peak, decay, trainable = STRATEGIES[strategy]
    hardness = np.random.default_rng(0).standard_normal((2, examples))
    generator = np.random.default_rng([seed, *strategy.encode()])
    peak *= 1 + 0.05 * generator.standard_normal()
    for step in steps:
        progress = step / 250
        accuracy = 0.004 + 0.91 * (1 - np.exp(-progress))
        noisy = 0.8 * hardness + 0.6 * generator.standard_normal((2, examples))
        clean = noisy[0] < NormalDist().inv_cdf(accuracy)
        kept = peak * np.exp(-decay * progress / 4)
        robust = {
            threat: clean & (noisy[1] < NormalDist().inv_cdf(float(kept * THREATS[threat])))
            for threat in threats
        }
        point = make_point(
            run=folder.name,
            strategy=strategy,
            seed=seed,
            step=step,
            epoch=step // 200,
            trainable_parameters=trainable,
            accuracy=Estimate.of(int(clean.sum()), examples),
            robust_accuracy={k: Estimate.of(int(v.sum()), examples) for k, v in robust.items()},
        )
        if with_outcomes:
            index = np.arange(examples) * 7
            outcomes = ExampleOutcomes(index, index % 257, clean, robust)
            outcomes.write(outcomes_path(folder, step))
        append_point(folder, point)
    return folder


def write_sweep(folder: Path, seeds: int = 2, **settings: object) -> Path:
    for strategy in STRATEGIES:
        for seed in range(seeds):
            write_run(folder / f"{strategy}-{seed}", strategy, seed=seed, **settings)  # type: ignore[arg-type]  # named by the tests
    return folder
