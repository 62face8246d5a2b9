"""CIFAR-C's parameters and what they do, against formulas written a second time."""

from functools import cache

import numpy as np
import pytest
import torch

from robust_tuning.shifts.corruptions import EXTRA, STANDARD, Corruption
from tests.shifts.corruptions import formulas
from tests.shifts.corruptions.measures import spread_of_means, statistics
from tests.shifts.corruptions.pictures import pictures

SEVERITIES = range(1, 6)
# Of a level before it is cut: what is added against rounding, and weights in steps of 2^-17.
APART = 0.02


@pytest.mark.parametrize("name", [*STANDARD, *EXTRA])
def test_the_parameters_are_those_published(name: str) -> None:
    recipe = (STANDARD | EXTRA)[name]
    for severity in SEVERITIES:
        mine = np.ravel(recipe.parameters("cifar", severity))
        assert mine == pytest.approx(np.ravel(formulas.PARAMETERS[name][severity - 1]))


@cache
def images() -> np.ndarray:
    return pictures(2, 32, 32, seed=3)


def ours(name: str, severity: int, copies: int = 1) -> np.ndarray:
    repeated = np.tile(images(), (copies, 1, 1, 1))
    corrupt = Corruption(name, severity, "cifar")
    return corrupt(torch.from_numpy(repeated), torch.arange(len(repeated))).numpy()


@pytest.mark.parametrize("name", formulas.FIXED)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_pixels_without_chance_are_those_of_the_formula(name: str, severity: int) -> None:
    random = np.random.default_rng(0)
    expected = [formulas.corrupted(image, name, severity, random) for image in images()]
    levels = np.clip(np.stack(expected), 0, 255)
    found = ours(name, severity)
    assert (found <= np.floor(levels + APART)).all()
    assert (found >= np.floor(levels - APART)).all()


@pytest.mark.parametrize("name", formulas.RANDOM)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_statistics_with_chance_are_those_of_the_formula(name: str, severity: int) -> None:
    random = np.random.default_rng(severity)
    draws = 1 if name == "glass_blur" else 12
    theirs = []
    for _ in range(draws):
        levels = [formulas.corrupted(image, name, severity, random) for image in images()]
        theirs.append(statistics(images(), formulas.cut(np.stack(levels))))
    runs = ours(name, severity, 24).reshape(24, *images().shape)
    mine = np.stack([statistics(images(), run) for run in runs])
    spread = spread_of_means(mine) * (1 / 24 + 1 / draws) ** 0.5
    apart = np.abs(mine.mean((0, 1)) - np.mean(theirs, axis=(0, 1)))
    assert (apart <= 4 * spread + 0.05).all(), (apart, spread)
