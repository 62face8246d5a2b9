"""Are our corruptions those of ImageNet-C and CIFAR-C? Statistics on 200 real images of each size.

    pip install imagecorruptions==1.1.2 "setuptools<81"
    OMP_NUM_THREADS=1 python -m benchmarks.corruption_evidence [--draws 2]

Run from a checkout, with the real data that the environment variable ROBUST_TUNING_REAL_DATA names.
At 224 pixels ours are held against stored statistics of `imagecorruptions`, whose elastic transform
is replaced by the published one (`tests/oracles/make_photograph_statistics_golden.py`), and, where
nothing is left to chance, pixel by pixel against the library itself, if it is installed. At 32
pixels no library has the parameters: ours are held against formulas that were written a second time
(`tests/shifts/corruptions/formulas.py`). docs/corruptions.md says what came out.
"""

import argparse
import os
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.peers.reporting import setting
from robust_tuning.shifts.corruptions import EXTRA, STANDARD, Corruption, Table
from tests.oracles.common_corruptions import library
from tests.shifts.corruptions import formulas
from tests.shifts.corruptions.measures import psnrs, spread_of_means, statistics
from tests.shifts.corruptions.photographs import photographs
from tests.shifts.corruptions.test_corruption import FIXED
from tests.shifts.corruptions.test_damage import GOLDEN

IMAGES = 200
NAMES = (*STANDARD, *EXTRA)
SEVERITIES = range(1, 6)
# Of a grey level or a decibel: a level that is whole but for rounding is cut to one or the other.
ROUNDING = 0.1
Pixels = NDArray[np.uint8]


def ours(name: str, severity: int, table: Table, images: Pixels, draw: int = 0) -> Pixels:
    """All images, with other random numbers for another draw."""
    keys = torch.arange(len(images)) + 1000 * draw
    return Corruption(name, severity, table)(torch.from_numpy(images), keys).numpy()


def against_stored_statistics(images: Pixels, draws: int) -> None:
    """A row per corruption at 224 pixels: severity 3, all PSNRs, and the furthest statistic."""
    with np.load(GOLDEN) as arrays:
        golden = dict(arrays)
    cells = ["224 px", "mean", "deviation", "PSNR at severities 1 to 5", "spread", "furthest", ""]
    print(f"\n| {' | '.join(cells)} |\n|{'---|' * len(cells)}")
    for name in NAMES:
        runs = 1 if name in FIXED else draws
        found = np.stack(
            [
                [statistics(images, ours(name, s, "imagenet", images, draw)) for s in SEVERITIES]
                for draw in range(runs)
            ]
        )
        mine, theirs = found.mean((0, 2)), golden[name].mean(0)
        spread = golden[f"{name} spread"]
        if name not in FIXED and np.isnan(spread).any():
            spread = spread_of_means(found)
        spread = np.nan_to_num(spread) * (1 / runs + 1 / len(golden[name])) ** 0.5
        apart = np.abs(mine - theirs)
        allowed = 4 * spread + ROUNDING
        severity, which = np.unravel_index((apart / allowed).argmax(), apart.shape)
        unit = "dB" if which == 6 else "levels"
        row = [
            name,
            *(
                f"{mine[2, part].mean():.2f}, {theirs[2, part].mean():.2f}"
                for part in (slice(3), slice(3, 6))
            ),
            f"{series(mine[:, 6])}, {series(theirs[:, 6])}",
            "" if name in FIXED else f"{spread[2, :3].mean():.2f}, {spread[2, 6]:.3f} dB",
            f"{apart[severity, which]:.3f} {unit} at {severity + 1}",
            "equal" if (apart <= allowed).all() else "DIFFERENT",
        ]
        print(f"| {' | '.join(row)} |", flush=True)


def against_pixels(images: Pixels) -> None:
    """A row per corruption without chance: how many pixels differ from the library's."""
    corrupt = library()
    print("\n| 224 px | largest difference | share of values that differ |\n|---|---|---|")
    for name in NAMES:
        if name not in FIXED:
            continue
        largest, differ = 0, []
        for severity in SEVERITIES:
            theirs = np.stack([corrupt(image, name, severity) for image in images])
            apart = np.abs(ours(name, severity, "imagenet", images).astype(np.int16) - theirs)
            largest = max(largest, int(apart.max()))
            differ.append(float((apart > 0).mean()))
        print(
            f"| {name} | {largest} | {', '.join(f'{share:.2%}' for share in differ)} |", flush=True
        )


def against_formulas(images: Pixels) -> None:
    """A row per corruption at 32 pixels: PSNR of both; only ours where there is no formula."""
    random = np.random.default_rng(0)
    print("\n| 32 px | PSNR at severities 1 to 5 | by formula |\n|---|---|---|")
    for name in NAMES:
        mine = [psnrs(images, ours(name, s, "cifar", images)).mean() for s in SEVERITIES]
        theirs = ""
        if name in formulas.FIXED or name in formulas.RANDOM:
            again = [
                np.stack([formulas.cut(formulas.corrupted(x, name, s, random)) for x in images])
                for s in SEVERITIES
            ]
            theirs = series([psnrs(images, one).mean() for one in again])
        print(f"| {name} | {series(mine)} | {theirs} |", flush=True)


def series(values: NDArray[np.float64] | list[float]) -> str:
    """Decibels, with a mark before each that is not below the one before."""
    said = [f"{values[0]:.2f}"]
    for before, value in pairwise(values):
        said.append(f"{'^' if value >= before else ''}{value:.2f}")
    return " ".join(said)


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=2)
    arguments = parser.parse_args()
    if "ROBUST_TUNING_REAL_DATA" not in os.environ:
        sys.exit("ROBUST_TUNING_REAL_DATA is not set, expected the folder with real images")
    folder = Path(os.environ["ROBUST_TUNING_REAL_DATA"])
    print(setting(("torch", "imagecorruptions", "opencv-python", "pillow"), torch.device("cpu")))
    against_formulas(photographs(folder, 32, IMAGES))
    against_stored_statistics(photographs(folder, 224, IMAGES), arguments.draws)
    try:
        against_pixels(photographs(folder, 224, IMAGES))
    except ModuleNotFoundError as error:
        print(f"left out: pixel by pixel, for {error}")


if __name__ == "__main__":
    main()
