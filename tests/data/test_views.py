import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from robust_tuning.data.views import CentreCrop, Proportional, View, WholeImage, resize
from robust_tuning.types import ImageInput
from tests.data.pictures import UPRIGHT, quarters


def tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def show(view: View, image: Image.Image) -> NDArray[np.uint8]:
    shown = view(tensor(image))
    assert shown.dtype == torch.uint8
    assert shown.is_contiguous()
    pixels: NDArray[np.uint8] = shown.permute(1, 2, 0).numpy()
    return pixels


def noise(height: int, width: int) -> Image.Image:
    rng = np.random.default_rng(height * width)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("size", [(64, 32), (32, 64), (200, 20), (7, 5)])
def test_the_centre_is_cropped_without_distortion(size: tuple[int, int]) -> None:
    pixels = show(CentreCrop(ImageInput(16, 1.0)), quarters(*size)).astype(int)
    assert pixels.shape == (16, 16, 3)
    # Where the four colours meet stays in the middle.
    for place, colour in zip(((2, 2), (2, 13), (13, 2), (13, 13)), UPRIGHT, strict=True):
        assert np.abs(pixels[place] - colour).max() < 60


def test_the_crop_keeps_its_share_of_the_shorter_side() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[16:48, 16:48] = 255  # the middle half
    image = Image.fromarray(pixels)
    assert show(CentreCrop(ImageInput(32, 0.5)), image).min() > 100
    bright = show(CentreCrop(ImageInput(32, 1.0)), image)[16, :, 0] > 127
    assert bright.sum() == 16


@pytest.mark.parametrize("size", [(120, 80), (33, 47), (300, 500)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_the_centre_crop_is_pillows_to_a_grey_level(
    size: tuple[int, int], interpolation: str
) -> None:
    image = noise(*size)
    side = round(56 / 0.875)
    scale = side / min(size)
    height, width = (round(length * scale) for length in size)
    resized = image.resize((width, height), Image.Resampling[interpolation.upper()])
    left, top = (width - 56) // 2, (height - 56) // 2
    expected = np.array(resized.crop((left, top, left + 56, top + 56))).astype(int)
    found = show(CentreCrop(ImageInput(56, 0.875, interpolation)), image)  # type: ignore[arg-type]  # both are known
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("size", [(64, 32), (31, 64), (16, 16)])
def test_the_whole_image_is_seen_whatever_its_proportions(size: tuple[int, int]) -> None:
    pixels = show(WholeImage(ImageInput(16)), quarters(*size)).astype(int)
    assert pixels.shape == (16, 16, 3)
    for place, colour in zip(((0, 0), (0, 15), (15, 0), (15, 15)), UPRIGHT, strict=True):
        assert np.abs(pixels[place] - colour).max() < 12


def test_an_image_of_the_right_size_is_not_touched() -> None:
    image = noise(16, 16)
    assert (show(WholeImage(ImageInput(16)), image) == np.array(image)).all()
    assert (show(CentreCrop(ImageInput(16, 1.0)), image) == np.array(image)).all()


@pytest.mark.parametrize(
    ("size", "shown"), [((64, 128), (16, 32)), ((90, 60), (24, 16)), ((12, 40), (12, 40))]
)
def test_for_random_crops_proportions_stay_and_small_images_are_not_enlarged(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    assert show(Proportional(ImageInput(14)), noise(*size)).shape == (*shown, 3)


def test_a_view_says_everything_that_decides_its_pixels() -> None:
    views = {
        repr(kind(ImageInput(size, crop, how)))  # type: ignore[arg-type]  # both are known
        for kind in (CentreCrop, WholeImage, Proportional)
        for size in (16, 32)
        for crop in (0.9, 1.0)
        for how in ("bicubic", "bilinear")
    }
    assert len(views) == 24


def test_resizing_does_not_wrap_around_at_the_ends_of_the_range() -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, 4:] = 255  # bicubic interpolation overshoots here, on both sides
    resized = resize(tensor(Image.fromarray(pixels)), (64, 64), "bicubic")
    assert resized[:, :, :20].max() < 40
    assert resized[:, :, 44:].min() > 215
