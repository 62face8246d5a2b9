"""Write statistics of what `imagecorruptions` makes of 200 real photographs of 224 pixels.

    pip install imagecorruptions==1.1.2 "setuptools<81" && \
        python -m tests.oracles.make_photograph_statistics_golden [NAME ...]

The folder of real images is named by ROBUST_TUNING_REAL_DATA. Only numbers are stored: means over
all photographs for each draw of the random numbers, and how much these means vary with the draw.
The elastic transform is the published one.
"""

import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robust_tuning.shifts.corruptions import EXTRA, STANDARD
from tests.oracles.common_corruptions import library, published_elastic
from tests.shifts.corruptions.measures import spread_of_means, statistics
from tests.shifts.corruptions.photographs import photographs
from tests.shifts.corruptions.test_corruption import FIXED

GOLDEN = Path(__file__).parent / "photograph_statistics.npz"
IMAGES = 200
# Glass blur takes seconds per image, and is drawn once; what has no chance needs no more.
DRAWS = dict.fromkeys((*STANDARD, *EXTRA), 3) | dict.fromkeys((*FIXED, "glass_blur"), 1)


def draw(name: str, originals: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Statistics at all severities, `(5, n, 7)`."""
    corrupt = library()
    found = []
    for severity in range(1, 6):
        corrupted = [
            published_elastic(image, severity)
            if name == "elastic_transform"
            else corrupt(image, name, severity)
            for image in originals
        ]
        found.append(statistics(originals, np.stack(corrupted)))
    return np.stack(found)


def main(names: list[str]) -> None:
    """Write the statistics of some corruptions, or of all, beside those that are there."""
    originals = photographs(Path(os.environ["ROBUST_TUNING_REAL_DATA"]), 224, IMAGES)
    for name in names or DRAWS:
        np.random.seed(0)
        found = np.stack([draw(name, originals) for _ in range(DRAWS[name])])
        arrays = dict(np.load(GOLDEN)) if GOLDEN.exists() else {}
        arrays[name] = found.mean(2).astype(np.float32)
        arrays[f"{name} spread"] = spread_of_means(found).astype(np.float32)
        np.savez_compressed(GOLDEN, **arrays)
        print(name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
