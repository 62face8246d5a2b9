"""Small image sets in the published form, with checksums of their own."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robust_tuning.data.checksums import Checksum
from robust_tuning.data.external import ExternalSet
from robust_tuning.data.remote import RemoteFile

Pixels = NDArray[np.uint8]


def noise(n: int, side: int = 32, seed: int = 0) -> Pixels:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def severe(clean: Pixels, number: int, severity: int) -> Pixels:
    """What stands for a corruption: every image moved and made brighter."""
    return np.roll(clean, severity, axis=2) + np.uint8(number)


def lay_out_corruptions(
    folder: Path, names: list[str], clean: Pixels, labels: NDArray[np.int64]
) -> None:
    """`NAME.npy` and `labels.npy`, five severities one behind the other."""
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        blocks = [severe(clean, number, severity) for severity in range(1, 6)]
        np.save(folder / f"{name}.npy", np.concatenate(blocks))
    np.save(folder / "labels.npy", np.tile(labels, 5).astype(np.uint8))


def lay_out_stl(folder: Path, pixels: Pixels, labels: NDArray[np.int64], part: str) -> None:
    """`PART_X.bin`, each image a channel after the other, each channel by columns; `PART_y.bin`."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels.transpose(0, 3, 2, 1).tofile(folder / f"{part}_X.bin")
    (labels + 1).astype(np.uint8).tofile(folder / f"{part}_y.bin")


def published(
    external: ExternalSet, folder: Path, counts: Mapping[str, tuple[int, ...]]
) -> ExternalSet:
    """The set, if its authors had published the files of a folder.

    Args:
        external: The set.
        folder: Files in its form.
        counts: Of each part that is there, the images of each class.
    """
    return replace(
        external,
        parts={name: replace(external.parts[name], counts=n) for name, n in counts.items()},
        usual=tuple(name for name in external.usual if name in counts),
        checksums={path.name: sha256(path.read_bytes()) for path in sorted(folder.glob("*.*"))},
    )


def sha256(content: bytes) -> Checksum:
    return Checksum("sha256", hashlib.sha256(content).hexdigest())


def described(path: Path, address: str = "http://127.0.0.1:9", **more: object) -> RemoteFile:
    """A file as its authors would describe it, of which they tell only the SHA-256."""
    content = path.read_bytes()
    return RemoteFile(
        path.name,
        f"{address}/{path.name}",
        len(content),
        None,
        sha256(content).digits,
        **more,  # type: ignore[arg-type]  # checked by the class
    )
