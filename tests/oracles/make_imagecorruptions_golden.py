"""Write statistics of what `imagecorruptions` makes of pictures, for tests without that library.

    pip install imagecorruptions==1.1.2 "setuptools<81" && \
        python -m tests.oracles.make_imagecorruptions_golden
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robust_tuning.shifts.corruptions import EXTRA, STANDARD
from tests.oracles.common_corruptions import library
from tests.shifts.corruptions.pictures import pictures, psnr

SEEDS = 16


def statistics(corrupted: NDArray[np.uint8], originals: NDArray[np.uint8]) -> list[float]:
    """Means and standard deviations of the channels, and the peak signal-to-noise ratio."""
    means, deviations = (corrupted.mean((0, 2, 3)), corrupted.std((2, 3)).mean(0))
    return [*means, *deviations, psnr(originals, corrupted)]


def main() -> None:
    """Write `imagecorruptions.npz`."""
    corrupt = library()
    originals = pictures(3, 64, 64)
    arrays = {"originals": originals}
    for name in (*STANDARD, *EXTRA):
        runs = np.empty((SEEDS, 5, 7))
        for seed in range(SEEDS):
            np.random.seed(seed)
            for severity in range(1, 6):
                corrupted = np.stack([corrupt(image, name, severity) for image in originals])
                runs[seed, severity - 1] = statistics(corrupted, originals)
        arrays[name] = runs.astype(np.float32)
    np.savez_compressed(Path(__file__).parent / "imagecorruptions.npz", **arrays)


if __name__ == "__main__":
    main()
