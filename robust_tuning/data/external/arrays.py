"""The array files of published image sets, opened without being read."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robust_tuning.data.tables import labels_within
from robust_tuning.errors import DataError

_STL_SIDE = 96
_REMEDY = "remove it and get it again, or say in `expected` how many images your own version holds"


class Rows(NamedTuple):
    """Images and labels that belong together.

    Attributes:
        pixels: `(N, H, W, 3)` or `(N, 3, H, W)` uint8, mapped from the disk.
        labels: `(N,)` int64.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


# From the file of pixels, the file of labels, the number of images and the number of classes.
Reader = Callable[[Path, Path, int, int], Rows]


def read_npy(pixels: Path, labels: Path, images: int, classes: int) -> Rows:
    """Open a `.npy` file of 32x32 images `(N, 32, 32, 3)` and one of labels from 0.

    Raises:
        DataError: If a file cannot be read, is not whole, or is of another form.
    """
    array = _open_npy(pixels)
    _require(pixels, array, "uint8", array.dtype == np.uint8, (images, 32, 32, 3))
    numbers = _open_npy(labels)
    _require(labels, numbers, "whole numbers", numbers.dtype.kind in "iu", (images,))
    return Rows(array, labels_within(numbers.tolist(), classes, labels))


def read_column_major(pixels: Path, labels: Path, images: int, classes: int) -> Rows:
    """Open the headless files of STL-10: 96x96 images by channel and column, and labels from 1.

    Raises:
        DataError: If a file cannot be read, or does not hold as many.
    """
    shape = (images, 3, _STL_SIDE, _STL_SIDE)
    array = _open_raw(pixels, shape).swapaxes(2, 3)
    numbers = _open_raw(labels, (images,))
    return Rows(array, labels_within(numbers.tolist(), classes, labels, first=1))


def _open_npy(path: Path) -> NDArray[Any]:
    with _damage(path):
        return np.lib.format.open_memmap(path, mode="r")


def _open_raw(path: Path, shape: Sequence[int]) -> NDArray[np.uint8]:
    with _damage(path):
        size, expected = path.stat().st_size, int(np.prod(shape))
        if size != expected:
            message = f"it holds {size:,} bytes, expected {expected:,}"
            raise ValueError(message)
        return np.memmap(path, dtype=np.uint8, mode="r", shape=tuple(shape))


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror or error}); put it back"
        raise DataError(message) from error
    except Exception as error:  # damaged headers raise anything
        message = f"{path} is incomplete or damaged ({error}); {_REMEDY}"
        raise DataError(message) from error


def _require(
    path: Path, array: NDArray[Any], what: str, is_what: bool, shape: tuple[int, ...]
) -> None:
    if not is_what or array.shape != shape:
        message = f"{path} holds {array.dtype} {array.shape}, expected {what} {shape}; {_REMEDY}"
        raise DataError(message)
