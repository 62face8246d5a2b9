"""Write statistics of what `imagecorruptions` makes of pictures, for tests without that library.

    pip install imagecorruptions==1.1.2 "setuptools<81" && \
        python -m tests.oracles.make_imagecorruptions_golden

The library was written for older versions of NumPy and scikit-image; two names are put back.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

warnings.simplefilter("ignore")
np.float_ = np.float64
from imagecorruptions import corruptions, get_corruption_names  # noqa: E402  needs the name above
from skimage.filters import gaussian  # noqa: E402  with its library

from tests.shifts.corruptions.pictures import pictures, psnr  # noqa: E402  with the others

SEEDS = 16


def _gaussian(image: Any, sigma: Any, multichannel: bool = False, **settings: Any) -> Any:
    return gaussian(image, sigma=sigma, channel_axis=-1 if multichannel else None, **settings)


def statistics(corrupted: NDArray[np.uint8], originals: NDArray[np.uint8]) -> list[float]:
    """Means and standard deviations of the channels, and the peak signal-to-noise ratio."""
    means, deviations = (corrupted.mean((0, 2, 3)), corrupted.std((2, 3)).mean(0))
    return [*means, *deviations, psnr(originals, corrupted)]


def corrupt(name: str, severity: int, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Corrupt `(3, H, W)`."""
    from imagecorruptions import corrupt as theirs

    pixels = np.ascontiguousarray(image.transpose(1, 2, 0))
    return theirs(pixels, severity=severity, corruption_name=name).transpose(2, 0, 1)


def main() -> None:
    """Write `imagecorruptions.npz`."""
    corruptions.gaussian = _gaussian
    originals = pictures(3, 64, 64)
    arrays = {"originals": originals}
    for name in get_corruption_names("all"):
        runs = np.empty((SEEDS, 5, 7))
        for seed in range(SEEDS):
            np.random.seed(seed)
            for severity in range(1, 6):
                corrupted = np.stack([corrupt(name, severity, image) for image in originals])
                runs[seed, severity - 1] = statistics(corrupted, originals)
        arrays[name] = runs.astype(np.float32)
    np.savez_compressed(Path(__file__).parent / "imagecorruptions.npz", **arrays)


if __name__ == "__main__":
    main()
