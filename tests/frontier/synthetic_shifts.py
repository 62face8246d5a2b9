"""Runs with shifted accuracies that look like real ones: they follow clean accuracy on a line."""

from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist

import numpy as np

from robust_tuning.frontier import (
    Estimate,
    ExampleOutcomes,
    ShiftIdentity,
    ShiftOutcomes,
    append_point,
)
from robust_tuning.frontier.outcomes import outcomes_path
from tests.frontier.synthetic import STRATEGIES, make_point

CORRUPTIONS = {  # how many probits the middle severity costs
    "gaussian_noise": 1.3,
    "shot_noise": 1.2,
    "impulse_noise": 1.4,
    "defocus_blur": 1.1,
    "glass_blur": 1.7,
    "motion_blur": 1.0,
    "zoom_blur": 1.2,
    "snow": 0.9,
    "frost": 0.9,
    "fog": 0.7,
    "brightness": 0.2,
    "contrast": 0.8,
    "elastic_transform": 0.9,
    "pixelate": 0.6,
    "jpeg_compression": 0.5,
}
DOMAINS = {"clipart": 0.7, "infograph": 1.6, "painting": 0.8, "quickdraw": 2.6, "sketch": 1.1}
STEPS = (0, 50, 100, 200, 300, 400, 600, 800, 1000, 1500)


def write_shifted_run(
    folder: Path,
    strategy: str = "LoRA",
    *,
    seed: int = 0,
    examples: int = 400,
    steps: tuple[int, ...] = STEPS,
    severities: tuple[int, ...] = (1, 2, 3, 4, 5),
    corruptions: Mapping[str, float] = CORRUPTIONS,
    domains: Mapping[str, float] = DOMAINS,
    with_outcomes: bool = True,
    **changes: object,
) -> Path:
    """Write a run with corruptions of its own images and domains of others, without an attack.

    Corrupted copies are as hard as their originals; `changes` are those of `make_point`.
    """
    hardness = np.random.default_rng(0).standard_normal(examples)
    generator = np.random.default_rng([seed, *strategy.encode()])
    peak, trainable = 1.5 + 0.2 * generator.standard_normal(), STRATEGIES[strategy][2]
    lift = {name: 0.25 * generator.standard_normal() for name in (*corruptions, *domains)}
    index = np.arange(examples) * 7

    def judge(probit: float, *, paired: bool = True) -> np.ndarray:
        own = generator.standard_normal(examples)
        return np.asarray((0.8 * hardness + 0.6 * own if paired else own) < probit)

    costs = {
        f"{name}-{severity}": (cost + 0.35 * (severity - 3), True, name)
        for name, cost in corruptions.items()
        for severity in severities
    } | {f"domain-{name}": (cost, False, name) for name, cost in domains.items()}
    for step in steps:
        probit = NormalDist().inv_cdf(0.004) * np.exp(-step / 150) + peak * (
            1 - np.exp(-step / 150)
        )
        clean = judge(probit)
        found = {
            key: judge(0.9 * probit - cost + lift[name], paired=paired)
            for key, (cost, paired, name) in costs.items()
        }
        shifts = {
            key: ShiftOutcomes(
                index if costs[key][1] else np.arange(examples) * 3 + len(key), index % 257, correct
            )
            for key, correct in found.items()
        }
        identities = {
            "corruptions": ShiftIdentity(
                "robust_tuning.shifts.Corruptions", {"table": "imagenet"}, "c0a1", ()
            ),
            "domain": ShiftIdentity("robust_tuning.shifts.Domains", {"domains": None}, "d0e1", ()),
        }
        keys = {
            "corruptions": tuple(key for key in costs if costs[key][1]),
            "domain": tuple(key for key in costs if not costs[key][1]),
        }
        values = {
            "run": folder.name,
            "strategy": strategy,
            "seed": seed,
            "step": step,
            "trainable_parameters": trainable,
            "accuracy": Estimate.of(int(clean.sum()), examples),
            "robust_accuracy": {},
            "attack": None,
            "ood_accuracy": {k: Estimate.of(int(v.sum()), examples) for k, v in found.items()},
            "shifts": {
                name: ShiftIdentity(
                    identity.class_path, identity.settings, identity.fingerprint, keys[name]
                )
                for name, identity in identities.items()
                if keys[name]
            },
            "calibration": {
                "clean": Estimate(0.03, examples, 0.02, 0.05),
                **{
                    key: Estimate(
                        0.1 + 0.05 * cost, examples, 0.08 + 0.05 * cost, 0.13 + 0.05 * cost
                    )
                    for key, (cost, _, _) in costs.items()
                },
            },
        }
        if with_outcomes:
            ExampleOutcomes(index, index % 257, clean, {}, shifts).write(
                outcomes_path(folder, step)
            )
        append_point(folder, make_point(**{**values, **changes}))
    return folder
