import pickle
from zlib import crc32

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.shifts.corruptions import EXTRA, STANDARD, Corruption, Table
from tests.shifts.corruptions.pictures import pictures

NAMES = [*STANDARD, *EXTRA]
TABLES: list[Table] = ["cifar", "imagenet"]
FIXED = {
    "defocus_blur",
    "zoom_blur",
    "brightness",
    "contrast",
    "pixelate",
    "jpeg_compression",
    "gaussian_blur",
    "saturate",
}


def batch(n: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(pictures(n, height, width)), torch.arange(n) * 7919 + 11


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("table", TABLES)
def test_pixels_depend_on_the_example_alone(name: str, table: Table) -> None:
    images, keys = batch(7, 33, 40)
    before = images.clone()
    corrupt = Corruption(name, 4, table)
    together = corrupt(images, keys)
    assert torch.equal(images, before)
    order = torch.tensor([5, 2, 6, 0, 3, 1, 4])
    assert torch.equal(corrupt(images[order], keys[order]), together[order])
    for i in (0, 6):
        assert torch.equal(corrupt(images[i : i + 1], keys[i : i + 1])[0], together[i])
    # More than are corrupted at a time.
    many = corrupt(images[3:4].expand(60, 3, 33, 40), keys[3:4].expand(60))
    assert torch.equal(many, together[3:4].expand(60, 3, 33, 40))


@pytest.mark.parametrize("name", NAMES)
def test_other_keys_give_other_pixels_where_there_is_chance(name: str) -> None:
    images, keys = batch(1, 32, 32)
    corrupt = Corruption(name, 3, "imagenet")
    same = torch.equal(corrupt(images, keys), corrupt(images, keys + 1))
    assert same is (name in FIXED)


def test_severities_and_corruptions_have_their_own_random_numbers() -> None:
    grey = torch.full((1, 3, 64, 64), 128, dtype=torch.uint8)
    settings = [("gaussian_noise", 1), ("gaussian_noise", 2), ("speckle_noise", 2)]
    noise = [
        Corruption(name, severity, "cifar")(grey, torch.tensor([1])).flatten().numpy()
        for name, severity in settings
    ]
    assert np.abs(np.corrcoef(noise) - np.eye(3)).max() < 0.05


@pytest.mark.parametrize("name", NAMES)
@given(
    short=st.integers(16, 100),
    long=st.integers(16, 512),
    upright=st.booleans(),
    severity=st.integers(0, 5),
    table=st.sampled_from(TABLES),
)
@example(short=16, long=16, upright=True, severity=5, table="imagenet")
@example(short=17, long=512, upright=False, severity=4, table="imagenet")
@settings(max_examples=4, deadline=None, derandomize=True)
def test_any_size(
    name: str, short: int, long: int, upright: bool, severity: int, table: Table
) -> None:
    height, width = (long, short) if upright else (short, long)
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    channels = [3 * rows + columns, rows - 2 * columns, rows + 5 * columns]
    image = torch.stack(channels).remainder(256).byte()[None]
    before = image.clone()
    corrupted = Corruption(name, severity, table)(image, torch.tensor([height * 1000 + width]))
    assert corrupted.dtype == torch.uint8
    assert corrupted.shape == image.shape
    assert torch.equal(image, before)
    assert torch.equal(corrupted, image) is (severity == 0)


@pytest.mark.parametrize("name", NAMES)
def test_large_images(name: str) -> None:
    images, keys = batch(1, 300, 512)
    corrupted = Corruption(name, 5, "imagenet")(images, keys)
    assert corrupted.dtype == torch.uint8
    assert corrupted.shape == images.shape
    # It is corrupted everywhere, not only in a part of the reference's size.
    quarters = (corrupted != images).float().mean(1).unfold(1, 150, 150).unfold(2, 256, 256)
    assert (quarters.mean((3, 4)) > 0.02).all()


@pytest.mark.parametrize("name", NAMES)
def test_severity_0_is_the_identity(name: str) -> None:
    images, keys = batch(2, 20, 24)
    left = Corruption(name, 0, "cifar")(images, keys)
    assert torch.equal(left, images)
    assert left is not images


def test_an_empty_batch_stays_empty() -> None:
    images, keys = batch(1, 20, 24)
    assert Corruption("fog", 3, "cifar")(images[:0], keys[:0]).shape == (0, 3, 20, 24)


def test_settings_are_plain() -> None:
    corruption = Corruption("snow", 2, "imagenet")
    assert pickle.loads(pickle.dumps(corruption)) == corruption
    assert repr(corruption) == "Corruption(name='snow', severity=2, table='imagenet')"


@pytest.mark.parametrize(
    ("name", "severity", "table", "said"),
    [
        ("rain", 1, "cifar", r"'rain'; choose one of gaussian_noise, .*, saturate"),
        ("snow", 6, "cifar", "severity is 6, expected 1 to 5"),
        ("snow", 1, "stl", "'stl', expected one of cifar, imagenet"),
    ],
)
def test_wrong_settings_are_told(name: str, severity: int, table: Table, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Corruption(name, severity, table)


def test_wrong_images_and_keys_are_told() -> None:
    corrupt = Corruption("fog", 1, "cifar")
    images, keys = batch(2, 20, 24)
    with pytest.raises(DataError, match=r"float32 of shape .2, 3, 20, 24., expected uint8"):
        corrupt(images.float(), keys)
    with pytest.raises(DataError, match=r"expected uint8 of shape .B, 3, H, W."):
        corrupt(images[:, :1], keys)
    with pytest.raises(DataError, match="15 x 24 pixels; corruptions need at least 16"):
        corrupt(images[:, :, :15], keys)
    with pytest.raises(DataError, match=r"shape \(3,\), expected int64 of shape \(2,\)"):
        corrupt(images, torch.arange(3))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("table", TABLES)
def test_a_gpu_corrupts_alike(name: str, table: Table) -> None:
    images, keys = batch(9, 64, 80)
    corrupt = Corruption(name, 3, table)
    there = corrupt(images.cuda(), keys.cuda())
    assert torch.equal(corrupt(images[4:5].cuda(), keys[4:5].cuda())[0], there[4])
    difference = (there.cpu().int() - corrupt(images, keys).int()).abs()
    assert difference.max() <= 1
    assert (difference > 0).float().mean() < 1e-3


@pytest.mark.parametrize(
    ("name", "checksum"),
    [
        ("gaussian_noise", 793365148),
        ("shot_noise", 615264993),
        ("impulse_noise", 2663997822),
        ("defocus_blur", 1661012935),
        ("glass_blur", 684823605),
        ("motion_blur", 1797210105),
        ("zoom_blur", 2244521027),
        ("snow", 4277737581),
        ("frost", 618901182),
        ("fog", 3498195218),
        ("brightness", 1235810074),
        ("contrast", 3944368411),
        ("elastic_transform", 1964803074),
        ("pixelate", 3190316317),
        ("speckle_noise", 3598987121),
        ("gaussian_blur", 383443599),
        ("spatter", 2657404619),
        ("saturate", 1338689325),
    ],
)
def test_pixels_stay_what_they_are(name: str, checksum: int) -> None:
    ramp = (torch.arange(3 * 32 * 32) % 256).byte().reshape(1, 3, 32, 32)
    corrupted = Corruption(name, 3, "imagenet")(ramp, torch.tensor([2024]))
    assert crc32(corrupted.numpy().tobytes()) == checksum
