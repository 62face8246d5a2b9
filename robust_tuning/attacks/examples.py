"""The images that an attack ended with."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robust_tuning.attacks.base import AttackState
from robust_tuning.attacks.threat import ThreatModel
from robust_tuning.errors import RobustTuningError
from robust_tuning.metrics import misclassified
from robust_tuning.types import Norm

Kept = Literal["float32", "uint8"]
_ORDERS: dict[Norm, float] = {"linf": float("inf"), "l2": 2.0, "l1": 1.0}
# What float32 may add to the distance of a pixel that lies at the edge of the ball.
_ROUNDING = 2.0**-23


@dataclass(frozen=True)
class AdversarialExamples:
    """The image that broke each attacked example, or the last one that was tried.

    Attributes:
        indices: Identities `(n,)` int64.
        labels: `(n,)` int64.
        images: `(n, C, H, W)` on the CPU: float32 in [0, 1], or uint8.
        broken: Whether this very image is within the radius and misclassified `(n,)` bool.
        distance: From the original, in the norm of the threat and [0, 1] pixel units `(n,)`.
    """

    indices: NDArray[np.int64]
    labels: NDArray[np.int64]
    images: Tensor
    broken: NDArray[np.bool_]
    distance: NDArray[np.float64]

    def of(self, indices: Tensor) -> Tensor:
        """The images of some examples, in [0, 1] `(len(indices), C, H, W)`."""
        order = np.argsort(self.indices)
        places = order[np.searchsorted(self.indices, indices.numpy(), sorter=order)]
        return as_pixels(self.images[torch.from_numpy(places)])

    def save(self, path: Path) -> None:
        """Write all of it to a compressed file of NumPy arrays, completely or not at all.

        Args:
            path: Ends in `.npz`.

        Raises:
            RobustTuningError: If it cannot be written.
        """
        arrays = {
            "indices": self.indices,
            "labels": self.labels,
            "images": self.images.numpy(),
            "broken": self.broken,
            "distance": self.distance,
        }
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **arrays)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError as error:
            message = f"cannot write the adversarial examples to {path}: {error}"
            raise RobustTuningError(message) from error
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)


class Collection:
    """Adversarial images as they come in.

    Args:
        threat: What they are adversarial to.
        kept: As what they are kept: `uint8` images are rounded, to a level within the radius where
            there is one.
    """

    def __init__(self, threat: ThreatModel, kept: Kept) -> None:
        self._threat = threat
        self._kept = kept
        self._images: dict[int, Tensor] = {}
        self._distance: dict[int, float] = {}

    def take(self, positions: Tensor, state: AttackState) -> None:
        """Note the images of examples that leave an attack."""
        found = state.adversarial
        if self._kept == "uint8":
            found = rounded(found, state.images, self._threat)
        pixels = as_pixels(found) if self._kept == "uint8" else found
        offsets = (pixels - state.images).double().flatten(1)
        order = _ORDERS[self._threat.norm]
        lengths = torch.linalg.vector_norm(offsets, order, 1).tolist()
        kept = found if self._kept == "uint8" else found.float()
        for position, image, length in zip(positions.tolist(), kept.cpu(), lengths, strict=True):
            self._images[position] = image.clone()
            self._distance[position] = length

    def drop(self, positions: NDArray[np.int64]) -> None:
        """Forget images of examples that another process has attacked since."""
        for position in positions.tolist():
            self._images.pop(position, None)
            self._distance.pop(position, None)

    def copy(self, other: "Collection") -> None:
        """Take over the images that another search has found."""
        self._images.update(other._images)
        self._distance.update(other._distance)

    def examples(
        self,
        indices: NDArray[np.int64],
        labels: NDArray[np.int64],
        answer: Callable[[Tensor], Tensor],
        batch_size: int,
    ) -> AdversarialExamples | None:
        """What was collected, judged once more as it is kept; None if nothing was attacked.

        Args:
            indices: Identity of each example of the evaluation `(n,)`.
            labels: `(n,)`.
            answer: From images on the CPU `(B, C, H, W)` in [0, 1] to logits `(B, K)` there.
            batch_size: Images judged at a time.
        """
        places = np.array(sorted(self._images), dtype=np.int64)
        if not len(places):
            return None
        images = torch.stack([self._images[int(place)] for place in places])
        chosen = torch.from_numpy(labels[places])
        wrong = torch.cat(
            [
                misclassified(answer(as_pixels(some)), some_labels)
                for some, some_labels in zip(
                    torch.split(images, batch_size), torch.split(chosen, batch_size), strict=True
                )
            ]
        ).numpy()
        distance = np.array([self._distance[int(place)] for place in places])
        pixels = images[0].numel() ** (1 / _ORDERS[self._threat.norm])
        inside = distance <= self._threat.eps + pixels * _ROUNDING
        return AdversarialExamples(
            indices[places], labels[places], images, wrong & inside, distance
        )


def joined(
    parts: Sequence[AdversarialExamples | None], order: NDArray[np.int64]
) -> AdversarialExamples | None:
    """Parts of one collection together; None if there are none.

    Args:
        parts: Of different examples; None holds none.
        order: Identities in the order of the evaluation, these among them.
    """
    found = [part for part in parts if part is not None]
    if len(found) < 2:
        return found[0] if found else None
    indices = np.concatenate([part.indices for part in found])
    places = np.argsort(np.argsort(order)[np.searchsorted(np.sort(order), indices)])
    return AdversarialExamples(
        indices[places],
        np.concatenate([part.labels for part in found])[places],
        torch.cat([part.images for part in found])[torch.from_numpy(places)],
        np.concatenate([part.broken for part in found])[places],
        np.concatenate([part.distance for part in found])[places],
    )


def as_pixels(images: Tensor) -> Tensor:
    """Images in [0, 1], whatever they are kept as."""
    return images.float() / 255 if images.dtype == torch.uint8 else images.float()


def rounded(adversarial: Tensor, images: Tensor, threat: ThreatModel) -> Tensor:
    """The nearest images with 256 levels that do not leave the ball, as far as there are such.

    For `linf` the nearest level within the radius of each pixel; where it contains none, since the
    original lies between two levels, the nearest of all. For `l2` and `l1` the nearest level on the
    way to the original: where that is an image of 256 levels itself, nothing leaves the ball.

    Args:
        adversarial: `(B, C, H, W)` in [0, 1].
        images: The originals.
        threat: The ball.

    Returns:
        `(B, C, H, W)` uint8.

    >>> image, threat = torch.full((1, 1, 1, 1), 100 / 255), ThreatModel("linf", 2.4 / 255)
    >>> [int(rounded(image + step / 255, image, threat)) for step in (2.4, 0.7)]
    [102, 101]
    """
    scaled, origin = adversarial.double() * 255, images.double() * 255
    nearest = scaled.round()
    if threat.norm == "linf":
        # Room for the rounding of float32, in levels.
        low = (origin - threat.eps * 255 - 1e-4).ceil()
        high = (origin + threat.eps * 255 + 1e-4).floor()
        inside = nearest.clamp(low, high)
        nearest = torch.where(low <= high, inside, nearest)
    else:
        towards = torch.where(scaled > origin, (scaled + 1e-4).floor(), (scaled - 1e-4).ceil())
        overshoots = (towards - origin) * (scaled - origin) < 0
        nearest = torch.where(overshoots, nearest, towards)
    return nearest.clamp(0, 255).to(torch.uint8)
