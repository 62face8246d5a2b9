"""Adversarial examples of runs as pictures for the report."""

import base64
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_tuning.errors import DataError
from robust_tuning.frontier.store import Run

Record = dict[str, Any]
Array = NDArray[Any]
Picture = NDArray[np.uint8]  # (H, W, 3)

_NAMES = (
    "step",
    "index",
    "label",
    "clean",
    "perturbation",
    "predicted_clean",
    "predicted_adversarial",
    "class_names",
)
# Largest side of a picture and examples of every set, tried in turn.
_SIZES = ((10**6, 3), (224, 3), (160, 3), (128, 3), (96, 3), (96, 2), (64, 2), (64, 1), (48, 1))


@dataclass(frozen=True, eq=False)
class StoredExamples:
    """The examples of one run under one threat, as `examples/THREAT.npz` holds them.

    Attributes:
        threat: Such as `linf-1/255`.
        step: Optimiser steps of the attacked state.
        index: int64 (k,), which examples of the split.
        label: int64 (k,).
        clean: uint8 (k, 3, H, W).
        perturbation: float32 (k, 3, H, W), in units of pixels in [0, 1].
        predicted_clean: int64 (k,).
        predicted_adversarial: int64 (k,).
        class_names: str (K,).

    Raises:
        DataError: Arrays whose shapes do not go together.
    """

    threat: str
    step: int
    index: Array
    label: Array
    clean: Array
    perturbation: Array
    predicted_clean: Array
    predicted_adversarial: Array
    class_names: Array

    def __post_init__(self) -> None:
        k, shape = len(self.index), self.clean.shape
        if self.clean.ndim != 4 or shape[:2] != (k, 3) or self.perturbation.shape != shape:
            message = (
                f"clean has shape {shape} and perturbation {self.perturbation.shape}: "
                f"expected ({k}, 3, H, W) of both"
            )
            raise DataError(message)
        named = np.stack([self.label, self.predicted_clean, self.predicted_adversarial])
        if named.shape != (3, k) or (k and not 0 <= named.min() <= named.max() < self.classes):
            message = (
                f"labels and predictions of shape {named.shape}: expected (3, {k}) and classes "
                f"0 to {self.classes - 1}"
            )
            raise DataError(message)

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)

    @classmethod
    def read(cls, path: Path) -> "StoredExamples":
        """Read a file; `linf-1of255.npz` is of the threat `linf-1/255`.

        Raises:
            DataError: It is damaged, or not such a file.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                found = {name: arrays[name] for name in _NAMES}
            found["step"] = int(found["step"])
            found["perturbation"] = found["perturbation"].astype(np.float32)
            return cls(threat=path.stem.replace("of", "/"), **found)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            message = (
                f"{path} holds no adversarial examples that can be shown ({error}): "
                "evaluate the run again"
            )
            raise DataError(message) from error

    @property
    def pairs(self) -> Iterator[tuple[Picture, Picture, float]]:
        """Per example the clean and the adversarial picture and the largest change of a pixel."""
        for clean, change in zip(self.clean, self.perturbation, strict=True):
            adversarial = np.rint(np.clip(clean / 255 + change, 0, 1) * 255).astype(np.uint8)
            yield _upright(clean), _upright(adversarial), float(np.abs(change).max(initial=0.0))


class Gallery:
    """Examples of several runs, small enough together for one page.

    Of several runs of one strategy the first that has examples is shown.

    Args:
        runs: Whose examples to show.
        budget: Bytes of all PNG files together; pictures are made smaller, then fewer, until they
            fit or cannot be made smaller.
    """

    def __init__(self, runs: Sequence[Run], *, budget: int = 1_500_000) -> None:
        self.warnings: list[str] = []
        sets = list(self._read(runs))
        for side, per_set in _SIZES:
            self.pictures: dict[bytes, int] = {}
            self.records = [_record(self, number, s, per_set, side) for number, s in sets]
            if sum(map(len, self.pictures)) <= budget:
                break

    @property
    def uris(self) -> list[str]:
        """Every picture once, in the order of the numbers in `records`."""
        encoded = (base64.b64encode(png).decode() for png in self.pictures)
        return [f"data:image/png;base64,{text}" for text in encoded]

    def add(self, picture: Picture, side: int, *, averaged: bool) -> int:
        """Keep a picture, reduced to a side; returns its number.

        Args:
            picture: The pixels.
            side: The longer side is at most this long afterwards.
            averaged: Whether a smaller picture's pixels are means; else single pixels are taken,
                which keeps the size of a perturbation.
        """
        from PIL import Image

        image = Image.fromarray(picture)
        if max(image.size) > side:
            width, height = (max(1, round(n * side / max(image.size))) for n in image.size)
            method = Image.Resampling.BOX if averaged else Image.Resampling.NEAREST
            image = image.resize((width, height), method)
        file = io.BytesIO()
        image.save(file, "PNG", optimize=True)
        return self.pictures.setdefault(file.getvalue(), len(self.pictures))

    def _read(self, runs: Iterable[Run]) -> Iterator[tuple[int, StoredExamples]]:
        seen: set[tuple[str, str, str]] = set()
        for number, run in enumerate(runs):
            first = run.points[0]
            kind = first.benchmark, first.backbone, first.strategy
            if kind in seen:
                continue
            for path in sorted((run.folder / "examples").glob("*.npz")):
                try:
                    yield number, StoredExamples.read(path)
                    seen.add(kind)
                except DataError as error:
                    self.warnings.append(str(error))


def _record(gallery: Gallery, run: int, stored: StoredExamples, per_set: int, side: int) -> Record:
    names = [str(name) for name in stored.class_names]
    examples = []
    for k in _telling(stored)[:per_set]:
        clean, adversarial, size = list(stored.pairs)[k]
        scale = 0.5 / size if size else 1.0
        shown = np.rint(np.clip(0.5 + scale * stored.perturbation[k], 0, 1) * 255)
        examples.append(
            {
                "index": int(stored.index[k]),
                "label": names[stored.label[k]],
                "clean": gallery.add(clean, side, averaged=True),
                "perturbation": gallery.add(_upright(shown.astype(np.uint8)), side, averaged=False),
                "adversarial": gallery.add(adversarial, side, averaged=True),
                "predicted_clean": names[stored.predicted_clean[k]],
                "predicted_adversarial": names[stored.predicted_adversarial[k]],
                "scale": round(scale, 1),
                "size": round(255 * size, 3),
            }
        )
    height, width = stored.clean.shape[2:]
    return {
        "run": run,
        "threat": stored.threat,
        "step": stored.step,
        "pixels": [width, height],
        "shown": min(side, max(height, width)),
        "fooled": int(_fooled(stored).sum()),
        "stored": len(stored.index),
        "examples": examples,
    }


def _telling(stored: StoredExamples) -> list[int]:
    """Positions, those first whose prediction the attack changed from right to wrong."""
    return [int(k) for k in np.argsort(~_fooled(stored), kind="stable")]


def _fooled(stored: StoredExamples) -> NDArray[np.bool_]:
    right = stored.predicted_clean == stored.label
    return np.asarray(right & (stored.predicted_adversarial != stored.label))


def _upright(picture: Array) -> Picture:
    return np.ascontiguousarray(np.moveaxis(picture, 0, -1))
