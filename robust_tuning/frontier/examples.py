"""A few adversarial examples of the latest evaluation, for looking at."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from robust_tuning.errors import DataError
from robust_tuning.frontier.files import replace_file

Integers = NDArray[np.int64]


def examples_path(folder: Path, threat: str) -> Path:
    """Where a run folder keeps the adversarial examples of a threat.

    >>> examples_path(Path("run"), "linf-1/255").as_posix()
    'run/examples/linf-1of255.npz'
    """
    return folder / "examples" / f"{threat.replace('/', 'of')}.npz"


@dataclass(frozen=True, eq=False)
class PerturbedExamples:
    """Images of one evaluation, as they are and as an attack left them.

    Attributes:
        step: Optimiser steps done.
        split: Which split the images come from.
        index: int64 (k,), which examples of the split, ascending.
        label: int64 (k,), their labels.
        clean: uint8 (k, 3, H, W), the images rounded to 256 levels.
        perturbation: float16 (k, 3, H, W), what the attack adds to them, in [0, 1] pixel units.
        predicted_clean: int64 (k,), what the model takes the images for.
        predicted_adversarial: int64 (k,), what it takes the perturbed ones for.
        class_names: By label.

    Raises:
        DataError: Arrays that do not fit one another.
    """

    step: int
    split: str
    index: Integers
    label: Integers
    clean: NDArray[np.uint8]
    perturbation: NDArray[np.float16]
    predicted_clean: Integers
    predicted_adversarial: Integers
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        one_each = (len(self.index),)
        shapes = dict.fromkeys(("label", "predicted_clean", "predicted_adversarial"), one_each)
        images = (*one_each, 3, *self.clean.shape[2:])
        for name, shape in {**shapes, "clean": images, "perturbation": images}.items():
            if (got := getattr(self, name).shape) != shape:
                message = f"{name} has shape {got}: expected {shape}, one per index"
                raise DataError(message)

    def __len__(self) -> int:
        return len(self.index)

    def name(self, label: int) -> str:
        """What a class is called; its number where the model has more classes than names."""
        return self.class_names[label] if label < len(self.class_names) else str(label)

    def write(self, path: Path) -> None:
        """Write the file in one piece: an array for each attribute, under its name.

        Raises:
            OSError: The disk is full or the folder is not writable.
        """
        arrays: dict[str, NDArray[Any]] = {
            "step": np.array(self.step, dtype=np.int64),
            "split": np.array(self.split, dtype=np.str_),
            "index": self.index,
            "label": self.label,
            "clean": self.clean,
            "perturbation": self.perturbation,
            "predicted_clean": self.predicted_clean,
            "predicted_adversarial": self.predicted_adversarial,
            "class_names": np.array(self.class_names, dtype=np.str_),
        }
        replace_file(path, lambda file: np.savez(file, allow_pickle=False, **arrays))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file that `write` made.

        Raises:
            DataError: The file is missing or damaged.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return cls(
                    step=int(arrays["step"]),
                    split=str(arrays["split"]),
                    index=arrays["index"],
                    label=arrays["label"],
                    clean=arrays["clean"],
                    perturbation=arrays["perturbation"],
                    predicted_clean=arrays["predicted_clean"],
                    predicted_adversarial=arrays["predicted_adversarial"],
                    class_names=tuple(arrays["class_names"].tolist()),
                )
        except FileNotFoundError as error:
            message = f"{path} is missing: this run keeps no adversarial examples of that threat"
            raise DataError(message) from error
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, DataError) as error:
            message = f"{path} is damaged ({error}): the next evaluation of the run writes it anew"
            raise DataError(message) from error
