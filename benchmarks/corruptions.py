"""Time per image of the 19 corruptions: ours and `imagecorruptions`, on the same real images.

    pip install imagecorruptions==1.1.2 "setuptools<81"
    OMP_NUM_THREADS=1 python -m benchmarks.corruptions [--images FOLDER] [--rounds 5]
        [--sides 32 224] [--device cpu]

Run from a checkout. Images are those of a folder, or the real data that the environment variable
ROBUST_TUNING_REAL_DATA names: CIFAR-10 at 32 pixels, birds and dogs at 224.

Both sides have ImageNet-C's parameters, the only ones the library knows, at either size: the work
is the same but for the elastic transform, of which the library has a definition of its own. The
peak signal-to-noise ratios of both are shown, and must be near each other. The library corrupts
one image at a time, ours a batch; both take turns in every round. Times are of the CPU; ours on a
GPU are synchronised wall time. What ours makes once for all images (tables, transforms, textures)
is made before, and its time printed. docs/corruptions.md says what came out.
"""

import argparse
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from benchmarks.peers.counting import clock
from benchmarks.peers.reporting import setting, spread, verdict
from robust_tuning.shifts.corruptions import EXTRA, STANDARD, Corruption, Table
from tests.oracles.common_corruptions import Corrupt, library
from tests.shifts.corruptions.measures import psnrs
from tests.shifts.corruptions.photographs import some

SEVERITIES = range(1, 6)
PACKAGES = ("torch", "imagecorruptions", "opencv-python", "scikit-image", "scipy", "pillow")
CPU = torch.device("cpu")
# Images per round and side: the library takes seconds for one under glass blur.
THEIRS = {32: 8}
OURS = {"cpu": 1 << 18, "cuda": 1 << 23}
APART = 3.0  # decibels, of a few images with chance


@dataclass
class Row:
    """Milliseconds per image and severity in each round, and decibels."""

    name: str
    ours: list[float] = field(default_factory=list)
    ours_cifar: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    our_psnr: list[float] = field(default_factory=list)
    their_psnr: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """How many times as fast ours is, in each round."""
        return [a / b for a, b in zip(self.theirs, self.ours, strict=True)]


class Subject:
    """Images of one size, and the time that either side takes for them."""

    def __init__(self, folder: Path | None, side: int, device: torch.device) -> None:
        self.side, self.device = side, device
        n = max(4, OURS[device.type] // side**2)
        self.pixels = some(folder, side, n)
        self.images = torch.from_numpy(self.pixels).to(device)
        self.round = 0

    def ours(self, name: str, table: Table, n: int) -> tuple[float, float]:
        """Milliseconds per image and severity, and decibels over the first `n` images."""
        keys = torch.arange(len(self.images), device=self.device) + 1000 * self.round
        corrupts = [Corruption(name, severity, table) for severity in SEVERITIES]
        began = clock(self.device)
        corrupted = [corrupt(self.images, keys) for corrupt in corrupts]
        took = clock(self.device) - began
        quality = [psnrs(self.pixels[:n], one[:n].cpu().numpy()).mean() for one in corrupted]
        return 1e3 * took / len(self.images) / len(SEVERITIES), float(np.mean(quality))

    def theirs(self, corrupt: Corrupt, name: str, n: int) -> tuple[float, float]:
        """Likewise, by the library."""
        began = clock(CPU)
        corrupted = [
            [corrupt(x, name, severity) for x in self.pixels[:n]] for severity in SEVERITIES
        ]
        took = clock(CPU) - began
        quality = [psnrs(self.pixels[:n], np.stack(one)).mean() for one in corrupted]
        return 1e3 * took / n / len(SEVERITIES), float(np.mean(quality))


def measure(subject: Subject, corrupt: Corrupt, rounds: int) -> list[Row]:
    """Every corruption by both once per round, in one direction and then in the other."""
    rows = [Row(name) for name in (*STANDARD, *EXTRA)]
    first = clock(subject.device)
    for row in rows:
        subject.ours(row.name, "cifar", 1)
        subject.ours(row.name, "imagenet", 1)
        corrupt(subject.pixels[0], row.name, 1)
    print(f"\nfirst calls of both, with all tables of ours: {clock(subject.device) - first:.1f} s")
    for subject.round in range(rounds):
        for row in reversed(rows) if subject.round % 2 else rows:
            n = (
                1
                if row.name == "glass_blur"
                else min(THEIRS.get(subject.side, 2), len(subject.pixels))
            )
            took, quality = subject.theirs(corrupt, row.name, n)
            row.theirs.append(took)
            row.their_psnr.append(quality)
            took, quality = subject.ours(row.name, "imagenet", n)
            row.ours.append(took)
            row.our_psnr.append(quality)
            row.ours_cifar.append(subject.ours(row.name, "cifar", n)[0])
    return rows


def total(title: str, rows: list[Row]) -> Row:
    """All views of an image: the sum over corruptions and severities, in each round."""
    columns = ("ours", "ours_cifar", "theirs")
    sums = {
        column: [
            len(SEVERITIES) * sum(round_)
            for round_ in zip(*(getattr(row, column) for row in rows), strict=True)
        ]
        for column in columns
    }
    return Row(title, **sums)


def show(rows: list[Row], side: int) -> None:
    """A table, and the goals below it."""
    standard = total("**75 views**", rows[: len(STANDARD)])
    without = [row for row in rows[: len(STANDARD)] if row.name != "glass_blur"]
    totals = (standard, total("70 without glass blur", without), total("all 95 views", rows))
    cells = [
        f"{side} px, ms",
        "ours",
        "imagecorruptions",
        "x faster",
        "ours, CIFAR-C's table",
        "PSNR, dB: ours",
        "theirs",
    ]
    print(f"\n| {' | '.join(cells)} |\n|{'---|' * len(cells)}")
    for row in (*rows, *totals):
        quality = [
            f"{statistics.mean(values):.1f}" if values else ""
            for values in (row.our_psnr, row.their_psnr)
        ]
        times = [
            spread(row.ours, 2),
            spread(row.theirs, 2),
            spread(row.ratios, 2),
            spread(row.ours_cifar, 2),
        ]
        print(f"| {' | '.join([row.name, *times, *quality])} |")
    print()
    ratio = statistics.median(standard.ratios)
    print(f"- {verdict(ratio >= 10)} at least 10x over the 75 views at {side} px: {ratio:.1f}.")
    slower = [row.name for row in rows if statistics.median(row.ratios) < 1]
    print(f"- {verdict(not slower)} nothing slower at {side} px: {', '.join(slower) or 'none is'}.")
    for row in rows:
        apart = statistics.mean(row.our_psnr) - statistics.mean(row.their_psnr)
        if abs(apart) > APART and row.name != "elastic_transform":
            sys.exit(
                f"{row.name} at {side} px: ours is {apart:+.1f} dB from theirs; not the same work"
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=Path, metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 224])
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    try:
        corrupt = library()
    except ModuleNotFoundError as error:
        sys.exit(str(error))
    print(setting(PACKAGES, device))
    for side in arguments.sides:
        subject = Subject(arguments.images, side, device)
        show(measure(subject, corrupt, arguments.rounds), side)


if __name__ == "__main__":
    main()
