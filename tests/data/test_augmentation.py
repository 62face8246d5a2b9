from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from robust_tuning.data.augmentation import AugmentedExamples, Draw, make_augmentation
from robust_tuning.data.examples import TensorExamples
from robust_tuning.types import Batch


def ramps(n: int = 6) -> Dataset[Batch]:
    """Images that grow brighter from left to right, each from another grey."""
    row = torch.arange(40, dtype=torch.uint8).mul(4)
    images = row.expand(n, 3, 30, 40) + torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1)
    return TensorExamples(images.contiguous(), torch.zeros(n).long(), torch.arange(n) + 10)


def drawn(seed: int = 0, epoch: int = 0, position: int = 0) -> Tensor:
    augment = make_augmentation("crop_flip", (16, 16))
    images: Tensor = AugmentedExamples(ramps(), augment, seed)[Draw(position, epoch)].images
    return images


def test_an_image_is_the_same_in_the_same_epoch_and_another_in_another() -> None:
    assert torch.equal(drawn(), drawn())
    assert not torch.equal(drawn(epoch=0), drawn(epoch=1))
    assert not torch.equal(drawn(seed=0), drawn(seed=1))


def test_images_of_one_epoch_are_varied_independently() -> None:
    spans = {int(drawn(position=p).float().std() * 100) for p in range(6)}
    assert len(spans) > 3


def test_label_and_index_stay() -> None:
    examples = AugmentedExamples(ramps(), make_augmentation("crop_flip", (16, 16)), 0)
    assert len(examples) == 6
    batch = examples[Draw(3, 0)]
    assert (int(batch.labels), int(batch.indices)) == (0, 13)


def test_the_global_generator_is_left_as_found() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    drawn()
    assert torch.equal(torch.rand(3), expected)


def test_the_generator_is_left_as_found_also_after_an_error() -> None:
    def broken(_: Tensor) -> Tensor:
        torch.rand(1)
        raise ZeroDivisionError

    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        AugmentedExamples(ramps(), broken, 0)[Draw(0, 0)]
    assert torch.equal(torch.get_rng_state(), before)


def test_images_are_cropped_and_half_of_them_flipped() -> None:
    images = [drawn(epoch=epoch).float() for epoch in range(200)]
    rising = [bool(image[..., -1].mean() > image[..., 0].mean()) for image in images]
    assert 70 < sum(rising) < 130
    # The crop shows between a small part of the ramp and all of it.
    spans = torch.tensor([float(image.max() - image.min()) for image in images])
    assert spans.min() < 80
    assert spans.max() > 130


@pytest.mark.parametrize("kind", ["crop_flip", "randaugment"])
@pytest.mark.parametrize("height", [8, 50])
def test_results_have_the_size_and_the_type(kind: str, height: int) -> None:
    augment: Callable[[Tensor], Tensor] = make_augmentation(kind, (12, 14))  # type: ignore[arg-type]  # both are known
    image = torch.randint(0, 256, (3, height, 20), dtype=torch.uint8)
    for seed in range(20):
        torch.manual_seed(seed)
        shown = augment(image)
        assert shown.shape == (3, 12, 14)
        assert shown.dtype == torch.uint8


def test_randaugment_does_more_than_cropping() -> None:
    image = ramps()[0].images
    torch.manual_seed(0)
    cropped = [make_augmentation("crop_flip", (16, 16))(image) for _ in range(30)]
    torch.manual_seed(0)
    varied = [make_augmentation("randaugment", (16, 16))(image) for _ in range(30)]
    # Cropping a ramp leaves every column of one grey; shearing and turning do not.
    uneven = [
        sum(float(i.float().std(1).max()) > 5 for i in images) for images in (cropped, varied)
    ]
    assert uneven[0] == 0
    assert uneven[1] > 3
