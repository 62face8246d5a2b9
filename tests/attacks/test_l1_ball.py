import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pyautoattack.autopgd_base import L1_projection
from scipy.optimize import minimize
from torch import Tensor

from robust_tuning.attacks.l1_ball import onto_l1_ball, random_in_l1_ball


def farthest(slopes: Tensor, originals: Tensor, radius: float) -> Tensor:
    """The largest value of `slopes @ z` over all images z in the ball, by filling greedily.

    The steepest pixels are moved to their bounds until the radius is used up.
    """
    room = torch.where(slopes > 0, 1 - originals, originals)
    order = slopes.abs().argsort(1, descending=True)
    before = room.gather(1, order).cumsum(1) - room.gather(1, order)
    moved = torch.minimum(room.gather(1, order), (radius - before).clamp_min(0))
    return (slopes * originals).sum(1) + (moved * slopes.abs().gather(1, order)).sum(1)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tensor, Tensor, float]:
    """Offsets, originals on and off the bounds, and a radius that may or may not bind."""
    n = draw(st.integers(1, 40))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    originals = torch.rand(6, n, generator=generator, dtype=torch.float64)
    bounds = torch.rand(6, n, generator=generator)
    originals = originals.masked_fill(bounds < 0.15, 0).masked_fill(bounds > 0.85, 1)
    spread = draw(st.sampled_from([1e-6, 0.05, 1.0, 100.0]))
    offsets = spread * torch.randn(6, n, generator=generator, dtype=torch.float64)
    if draw(st.booleans()):  # ties, and offsets that are zero
        offsets = (offsets / spread).round() * spread
    return offsets, originals, draw(st.floats(0, 10))


@given(cases())
def test_no_image_in_the_ball_is_nearer(case: tuple[Tensor, Tensor, float]) -> None:
    # z is the projection of y on a convex set exactly if (y - z) @ (w - z) <= 0 for all w in it.
    offsets, originals, radius = case
    found = originals + onto_l1_ball(offsets, originals, radius)
    assert (found - originals).abs().sum(1).max() <= radius + 1e-12
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-15
    left = originals + offsets - found
    gap = farthest(left, originals, radius) - (left * found).sum(1)
    assert gap.max() <= 1e-12 * max(1, float(offsets.abs().max()))


def test_it_is_the_references_which_now_and_then_is_off() -> None:
    generator = torch.Generator().manual_seed(0)
    other = 0
    for number in range(1000):
        n = 2 + number % 40
        originals = torch.rand(1, n, generator=generator)
        offsets = 3 * torch.randn(1, n, generator=generator)
        radius = 8 * float(torch.rand((), generator=generator))
        found = onto_l1_ball(offsets, originals, radius)
        theirs = offsets + L1_projection(originals, offsets, radius)
        if not torch.allclose(found, theirs, rtol=0, atol=1e-4):
            other += 1
            outside = float(theirs.abs().sum()) > radius + 1e-3
            assert outside or (theirs - offsets).norm() > (found - offsets).norm() + 1e-5
    assert other < 20


def test_it_solves_the_quadratic_programme() -> None:
    rng = np.random.default_rng(0)
    for radius in (0.05, 0.4, 1.5):
        x, y = rng.random(5), rng.normal(size=5)
        # The offset is split into what is added and what is taken away, so that all is smooth.
        answer = minimize(
            lambda parts, y=y: ((parts[:5] - parts[5:] - y) ** 2).sum(),
            np.zeros(10),
            bounds=[(0, 1 - up) for up in x] + [(0, down) for down in x],
            constraints={"type": "ineq", "fun": lambda parts, r=radius: r - parts.sum()},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        expected = answer.x[:5] - answer.x[5:]
        found = onto_l1_ball(torch.tensor(y)[None], torch.tensor(x)[None], radius)
        assert found[0].numpy() == pytest.approx(expected, abs=1e-6)


def test_every_row_may_have_a_radius_of_its_own() -> None:
    generator = torch.Generator().manual_seed(0)
    originals = torch.rand(3, 3, 4, 4, generator=generator)
    offsets = torch.randn(3, 3, 4, 4, generator=generator)
    radii = torch.tensor([0.5, 2.0, 0.0])
    found = onto_l1_ball(offsets, originals, radii)
    for row, radius in enumerate(radii.tolist()):
        alone = onto_l1_ball(offsets[row : row + 1], originals[row : row + 1], radius)
        assert torch.equal(found[row], alone[0])
    assert torch.allclose(found.flatten(1).abs().sum(1), radii)


def test_many_float32_pixels_fit_to_rounding_and_leave_nothing_unused() -> None:
    generator = torch.Generator().manual_seed(0)
    originals = torch.rand(2, 150_528, generator=generator)
    offsets = 0.1 * torch.randn(originals.shape, generator=generator)
    lengths = onto_l1_ball(offsets, originals, 12.0).double().abs().sum(1)
    assert lengths.tolist() == pytest.approx([12, 12], rel=1e-5)


def test_points_of_the_ball_stay_exactly_where_they_are() -> None:
    offsets = torch.tensor([[0.25, -1e-12, 0.125, 1e-20]])
    assert torch.equal(onto_l1_ball(offsets, torch.full((1, 4), 0.5), 0.5), offsets)


def test_pixels_that_are_shortened_to_nothing_do_not_move_at_all() -> None:
    offsets = torch.tensor([[0.5, 0.1, -0.2, 0.3]])
    found = onto_l1_ball(offsets, torch.full((1, 4), 0.5), 0.25)
    assert (found != 0).tolist() == [[True, False, False, True]]


def test_random_points_fill_the_ball_evenly() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.stack(
        [random_in_l1_ball(generator, torch.Size((3, 1, 1)), 2.0) for _ in range(4000)]
    ).flatten(1)
    lengths = points.abs().sum(1)
    assert lengths.max() <= 2 + 1e-6
    # Uniform in the volume: the cube of the length is uniform, and so is every orthant.
    shares = torch.histc((lengths / 2) ** 3, 10, 0, 1) / 4000
    assert (shares - 0.1).abs().max() < 0.025
    orthants = ((points > 0) * torch.tensor([1, 2, 4])).sum(1).bincount() / 4000
    assert (orthants - 1 / 8).abs().max() < 0.02
    # On each face the parts are uniform on a simplex: the share of one has the density 2 (1 - s).
    part = points[:, 0].abs() / lengths
    assert float((part < 0.5).double().mean()) == pytest.approx(0.75, abs=0.03)
