import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from robust_tuning.backbones import Normalize, Resize


def test_normalising_subtracts_the_mean_and_divides_by_the_deviation() -> None:
    layer = Normalize((0.1, 0.2, 0.3), (0.5, 0.25, 2.0))
    images = torch.tensor([0.6, 0.2, 0.3]).view(1, 3, 1, 1).expand(2, 3, 4, 5)
    expected = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(2, 3, 4, 5)
    assert torch.allclose(layer(images), expected, atol=1e-7)
    assert torch.allclose(layer(torch.ones(1, 3, 1, 1)).flatten(), torch.tensor([1.8, 3.2, 0.35]))


def test_the_statistics_are_no_trained_state() -> None:
    layer = Normalize((0.5,), (0.5,))
    assert not layer.state_dict()
    assert not list(layer.parameters())
    assert layer.to(torch.float64).mean.dtype == torch.float64
    assert "mean=[0.5], std=[0.5]" in repr(layer)


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(["bicubic", "bilinear"]),
    st.integers(0, 1000),
)
def test_resizing_stays_within_valid_pixels(
    height: int, width: int, interpolation: str, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = (torch.rand(1, 3, height, width, generator=generator) > 0.5).float()
    resized = Resize((16, 16), interpolation)(images)
    assert resized.shape == (1, 3, 16, 16)
    assert resized.min() >= 0
    assert resized.max() <= 1


def test_bicubic_interpolation_alone_would_leave_the_range() -> None:
    edge = torch.tensor([0.0, 0.0, 1.0, 1.0]).view(1, 1, 1, 4).expand(1, 1, 4, 4)
    raw = functional.interpolate(edge, (9, 9), mode="bicubic", antialias=True)
    assert raw.max() > 1
    assert torch.equal(Resize((9, 9))(edge), raw.clamp(0, 1))


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_flat_image_stays_flat(level: float) -> None:
    assert torch.allclose(Resize((7, 7))(torch.full((1, 3, 20, 30), level)), torch.tensor(level))


def test_shrinking_averages_instead_of_picking() -> None:
    stripes = torch.arange(64).remainder(2).float().view(1, 1, 1, 64).expand(1, 1, 64, 64)
    shrunk = Resize((8, 8), "bilinear")(stripes)
    assert (shrunk - 0.5).abs().max() < 0.05


def test_images_of_the_right_size_pass_unchanged() -> None:
    images = torch.rand(2, 3, 8, 8)
    assert Resize((8, 8))(images) is images


@pytest.mark.parametrize(
    ("asked", "used"),
    [
        ("bilinear", "bilinear"),
        ("bicubic", "bicubic"),
        ("lanczos", "bicubic"),
        ("random", "bicubic"),
    ],
)
def test_interpolations_without_a_gradient_become_bicubic(asked: str, used: str) -> None:
    layer = Resize((8, 8), asked)
    assert layer.interpolation == used
    images = torch.rand(1, 3, 5, 5, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(images).sum(), images)
    assert gradient.abs().sum() > 0
    assert "size=(8, 8)" in repr(layer)
