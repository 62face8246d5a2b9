"""The pickled files of CIFAR, read without running what they may say."""

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robust_tuning.errors import DataError

_SIDE = 32


class Rows(NamedTuple):
    """The content of a split's files.

    Attributes:
        pixels: `(N, 3, 32, 32)` uint8.
        labels: `(N,)` int64.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


class _PlainUnpickler(pickle.Unpickler):
    """Reads arrays and plain values, and refuses to call anything else that a file may name."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401  pickle's signature
        """Allow what NumPy needs to rebuild an array."""
        allowed = {
            ("_codecs", "encode"),
            *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
            *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
        }
        if (module, name) not in allowed:
            message = f"it wants to call {module}.{name}, which no file of CIFAR does"
            raise pickle.UnpicklingError(message)
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_rows(path: Path, label_key: str, md5: str | None) -> Rows:
    """Read one of the pickled files.

    Args:
        path: The file.
        label_key: Key of its labels.
        md5: The file's checksum; None checks the form alone.

    Raises:
        DataError: If the file is missing, damaged, of another form, or would run code.
    """
    remedy = "remove its folder and prepare the benchmark again"
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}); {remedy}"
        raise DataError(message) from error
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if md5 is not None and found != md5:
        message = (
            f"{path} has the MD5 {found}, expected {md5}; {remedy}, or say in data.expected how "
            "many images your own version holds"
        )
        raise DataError(message)
    try:
        table = _PlainUnpickler(io.BytesIO(content), encoding="bytes").load()
        pixels = np.asarray(table[b"data"])
        labels = np.asarray(table[label_key.encode()], dtype=np.int64)
        if pixels.dtype != np.uint8 or pixels.shape != (len(labels), 3 * _SIDE * _SIDE):
            message = f"its data is {pixels.dtype} {pixels.shape} for {len(labels)} labels"
            raise ValueError(message)  # noqa: TRY301  one message for all that can be wrong
    except Exception as error:  # damaged pickles raise anything
        message = f"{path} is no file of CIFAR ({type(error).__name__}: {error}); {remedy}"
        raise DataError(message) from error
    return Rows(pixels.reshape(-1, 3, _SIDE, _SIDE), labels)
