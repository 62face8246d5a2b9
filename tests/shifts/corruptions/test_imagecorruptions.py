"""Statistics of `imagecorruptions` 1.1.2, stored by `tests/oracles/make_imagecorruptions_golden`.

That library has the parameters of ImageNet-C. Its elastic transform is another one.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from robust_tuning.shifts.corruptions import EXTRA, STANDARD, Corruption
from tests.shifts.corruptions.pictures import psnr
from tests.shifts.corruptions.test_corruption import FIXED

GOLDEN = Path(__file__).parents[2] / "oracles" / "imagecorruptions.npz"
RUNS = 16
NAMES = [name for name in (STANDARD | EXTRA) if name != "elastic_transform"]


@cache
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


def ours(name: str, severity: int) -> np.ndarray:
    """Statistics of each run, `(RUNS, 7)`; without chance one run is all of them."""
    originals = golden()["originals"]
    runs = 1 if name in FIXED else RUNS
    images = torch.from_numpy(np.tile(originals, (runs, 1, 1, 1)))
    corrupted = Corruption(name, severity, "imagenet")(images, torch.arange(len(images))).numpy()
    found = [
        [*run.mean((0, 2, 3)), *run.std((2, 3)).mean(0), psnr(originals, run)]
        for run in corrupted.reshape(runs, *originals.shape)
    ]
    return np.tile(found, (RUNS // runs, 1))


# Grey levels of means and of deviations, and decibels, where our definition differs on purpose.
DIFFERENT = {
    # Rounded, as ImageMagick does, not cut.
    "motion_blur": (0.6, 0.2, 0.1),
    # Flakes of 8 bits, as in ImageNet-C, not of floating point: up to half a level less, twice.
    "snow": (0.8, 0.4, 0.05),
    # Twice a whole number is whole, where the library loses a level to rounding.
    "saturate": (0.2, 0.1, 0.05),
}


@pytest.mark.parametrize("name", NAMES)
def test_statistics_are_those_of_imagecorruptions(name: str) -> None:
    means, deviations, quality = DIFFERENT.get(name, (0.1, 0.1, 0.05))
    allowed = np.array([means] * 3 + [deviations] * 3 + [quality])
    for severity in range(1, 6):
        mine, theirs = ours(name, severity), golden()[name][:, severity - 1]
        spread = np.sqrt((mine.var(0, ddof=1) + theirs.var(0, ddof=1)) / RUNS)
        apart = np.abs(mine.mean(0) - theirs.mean(0))
        assert (apart <= 4 * spread + allowed).all(), (severity, apart, spread)
