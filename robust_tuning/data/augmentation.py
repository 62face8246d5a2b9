"""Random variations of training images, the same in every run of a seed."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import InterpolationMode, v2

from robust_tuning.types import Batch

Augmentation = Literal["none", "crop_flip", "randaugment"]


class Draw(NamedTuple):
    """An example as it appears in an epoch.

    Attributes:
        position: Which example.
        epoch: Counted from 0.
    """

    position: int
    epoch: int


def make_augmentation(
    kind: Augmentation, size: tuple[int, int], interpolation: str = "bicubic"
) -> Callable[[Tensor], Tensor]:
    """Build a random transformation of one image.

    Args:
        kind: `crop_flip` crops 8 to 100 % of the area at a proportion of 3/4 to 4/3, resizes, and
            flips every second image (Szegedy et al., arXiv 1409.4842, as torchvision implements
            it); `randaugment` follows it by two operations at magnitude 9 (Cubuk et al., arXiv
            1909.13719).
        size: Height and width of the result.
        interpolation: Of the resizing.

    Returns:
        A function from `(3, H, W)` uint8 to `(3, *size)` uint8; it draws from torch's global
        generator.
    """
    steps: list[torch.nn.Module] = [
        v2.RandomResizedCrop(size, interpolation=InterpolationMode(interpolation), antialias=True),
        v2.RandomHorizontalFlip(),
    ]
    if kind == "randaugment":
        steps.append(v2.RandAugment())
    augment: Callable[[Tensor], Tensor] = v2.Compose(steps)
    return augment


class AugmentedExamples(Dataset[Batch]):
    """Examples that look different in every epoch.

    What an example looks like depends on the seed, the epoch and its index alone, never on its
    batch or on the process that loads it.

    Args:
        examples: What is varied; uint8 images.
        augment: How.
        seed: Another seed gives unrelated variations.
    """

    def __init__(
        self, examples: Dataset[Batch], augment: Callable[[Tensor], Tensor], seed: int
    ) -> None:
        self.examples, self.augment, self.seed = examples, augment, seed

    def __len__(self) -> int:
        return len(self.examples)  # type: ignore[arg-type]  # sized by contract

    def __getitem__(self, draw: Draw) -> Batch:
        batch = self.examples[draw.position]
        generator = torch.default_generator
        before = generator.get_state()
        place = (self.seed * 1_000_003 + draw.epoch) * 1_000_003 + int(batch.indices)
        # Not torch.manual_seed, which notes every call down until a GPU is used.
        generator.manual_seed(place * 65_537 % 2**63)
        try:
            images = self.augment(batch.images)
        finally:
            generator.set_state(before)
        return Batch(images, batch.labels, batch.indices)
