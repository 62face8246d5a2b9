"""Real photographs, for what generated pictures cannot show."""

import io
import os
import sys
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

ARCHIVES = ("cub20hard.zip", "dogs20.zip")


@cache
def photographs(folder: Path, side: int, n: int) -> NDArray[np.uint8]:
    """Some of the real data, `(n, 3, side, side)`, the same ones each time.

    Args:
        folder: With the CIFAR-10 images and the archives of birds and dogs.
        side: 32 takes the first test images of CIFAR-10 as they are, any other the centres of birds
            and dogs by turns, spread over all classes.
        n: How many.
    """
    if side == 32:
        with np.load(folder / "cifar10_lossless_train4000_test1000.npz") as arrays:
            return np.ascontiguousarray(arrays["x_test"][:n].transpose(0, 3, 1, 2))
    pictures = [_spread(folder / name, side, -(-n // len(ARCHIVES))) for name in ARCHIVES]
    return np.stack(pictures, axis=1).reshape(-1, 3, side, side)[:n]


def _spread(archive: Path, side: int, n: int) -> NDArray[np.uint8]:
    with zipfile.ZipFile(archive) as packed:
        names = sorted(name for name in packed.namelist() if name.endswith(".jpg"))
        chosen = [names[i * len(names) // n] for i in range(n)]
        return np.stack([centre(packed.read(name), side) for name in chosen])


def files(folder: Path, side: int, n: int) -> NDArray[np.uint8]:
    """The first images of a folder, `(up to n, 3, side, side)`."""
    paths = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"}
    )
    if not paths:
        sys.exit(f"{folder} holds no .jpg, .jpeg or .png")
    return np.stack([centre(path.read_bytes(), side) for path in paths[:n]])


def some(folder: Path | None, side: int, n: int) -> NDArray[np.uint8]:
    """Images of a folder, or of the real data where None is given."""
    if folder is not None:
        return files(folder, side, n)
    if "ROBUST_TUNING_REAL_DATA" not in os.environ:
        sys.exit("name a folder with --images, or the real data by ROBUST_TUNING_REAL_DATA")
    return photographs(Path(os.environ["ROBUST_TUNING_REAL_DATA"]), side, n)


def centre(content: bytes, side: int) -> NDArray[np.uint8]:
    """The largest square in the middle of an encoded image, resized to `(3, side, side)`."""
    with Image.open(io.BytesIO(content)) as image:
        square = ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))
