import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from robust_tuning.attacks.threat import ThreatModel, format_fraction, parse_fraction
from robust_tuning.errors import ConfigurationError
from robust_tuning.types import Norm

NORMS: tuple[Norm, ...] = ("linf", "l2", "l1")
ORDERS = {"linf": math.inf, "l2": 2, "l1": 1}
SHAPE = torch.Size((3, 4, 4))


def lengths(offsets: Tensor, norm: Norm) -> Tensor:
    found: Tensor = offsets.flatten(1).norm(dim=1, p=ORDERS[norm])
    return found


@st.composite
def projections(draw: st.DrawFn) -> tuple[ThreatModel, Tensor, Tensor, Tensor]:
    """A threat, originals in [0, 1], and two sets of candidates anywhere."""
    norm = draw(st.sampled_from(NORMS))
    eps = draw(st.floats(0, {"linf": 1, "l2": 4, "l1": 30}[norm]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    originals = torch.rand(5, *SHAPE, generator=generator)
    # Pixels on the bounds, where clipping matters.
    originals = torch.where(torch.rand(originals.shape, generator=generator) < 0.2, 1.0, originals)
    spread = draw(st.sampled_from([1e-4, 0.05, 1.0, 10.0]))
    one, other = (
        originals + spread * torch.randn(originals.shape, generator=generator) for _ in range(2)
    )
    return ThreatModel(norm, eps), originals, one, other


@given(projections())
def test_projected_points_are_valid_images_inside_the_ball(
    case: tuple[ThreatModel, Tensor, Tensor, Tensor],
) -> None:
    threat, originals, candidates, _ = case
    projected = threat.project(candidates, originals)
    assert lengths(projected - originals, threat.norm).max() <= threat.eps + 1e-6 * max(
        1, threat.eps
    )
    assert projected.min() >= 0
    assert projected.max() <= 1


@given(projections())
def test_projecting_twice_changes_nothing(
    case: tuple[ThreatModel, Tensor, Tensor, Tensor],
) -> None:
    threat, originals, candidates, _ = case
    once = threat.project(candidates, originals)
    assert torch.allclose(threat.project(once, originals), once, rtol=0, atol=1e-6)


@given(projections())
def test_projection_brings_no_point_further_from_its_original_nor_two_points_apart(
    case: tuple[ThreatModel, Tensor, Tensor, Tensor],
) -> None:
    threat, originals, one, other = case
    a, b = threat.project(one, originals), threat.project(other, originals)
    to_original = lengths(a - originals, "l2") - lengths(one - originals, "l2")
    assert to_original.max() <= 1e-5
    assert (lengths(a - b, "l2") - lengths(one - other, "l2")).max() <= 1e-5


@given(projections())
def test_points_inside_stay_where_they_are(
    case: tuple[ThreatModel, Tensor, Tensor, Tensor],
) -> None:
    threat, originals, _, _ = case
    generator = torch.Generator().manual_seed(1)
    inside = torch.stack([threat.random_point(generator, SHAPE) for _ in originals]) * 0.999
    points = (originals + inside).clamp(0, 1)
    assert torch.allclose(threat.project(points, originals), points, rtol=0, atol=1e-6)


def test_the_linf_projection_is_the_nearest_point_of_the_cube_and_the_box() -> None:
    threat = ThreatModel("linf", 0.1)
    originals = torch.tensor([0.05, 0.5, 0.95]).view(1, 3, 1, 1)
    candidates = torch.tensor([-1.0, 0.52, 2.0]).view(1, 3, 1, 1)
    expected = torch.tensor([0.0, 0.52, 1.0]).view(1, 3, 1, 1)
    assert torch.allclose(threat.project(candidates, originals), expected)


def test_the_l2_projection_shortens_along_the_ray() -> None:
    originals = torch.full((1, 1, 1, 2), 0.5)
    candidates = originals + torch.tensor([0.3, 0.4]).view(1, 1, 1, 2)
    projected = ThreatModel("l2", 0.25).project(candidates, originals)
    assert torch.allclose(projected - originals, torch.tensor([0.15, 0.2]).view(1, 1, 1, 2))


def test_random_linf_points_fill_the_whole_cube_evenly() -> None:
    threat = ThreatModel("linf", 0.25)
    point = threat.random_point(torch.Generator().manual_seed(0), torch.Size((100, 10, 10)))
    assert point.abs().max() <= 0.25
    assert point.min() < -0.249
    assert point.max() > 0.249
    shares = torch.histc(point, 10, -0.25, 0.25) / point.numel()
    assert (shares - 0.1).abs().max() < 0.015


def test_random_l2_points_fill_the_ball_evenly() -> None:
    threat = ThreatModel("l2", 2.0)
    generator = torch.Generator().manual_seed(0)
    points = torch.stack(
        [threat.random_point(generator, torch.Size((3, 1, 1))) for _ in range(4000)]
    )
    radii = lengths(points, "l2")
    assert radii.max() <= 2 + 1e-6
    # Uniform in the volume: the cube of the radius is uniform, and every direction equally likely.
    shares = torch.histc((radii / 2) ** 3, 10, 0, 1) / 4000
    assert (shares - 0.1).abs().max() < 0.025
    assert points.mean(0).abs().max() < 0.06


def test_the_l1_projection_gives_to_other_pixels_what_the_bounds_take() -> None:
    originals = torch.tensor([0.9, 0.5, 0.5]).view(1, 3, 1, 1)
    candidates = originals + torch.tensor([0.7, 0.5, -0.1]).view(1, 3, 1, 1)
    expected = torch.tensor([1.0, 0.9, 0.5]).view(1, 3, 1, 1)
    assert torch.allclose(ThreatModel("l1", 0.5).project(candidates, originals), expected)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [1e-35, 1e-20, 1.0, 1e20])
def test_the_steepest_direction_has_length_one_however_small_the_gradient(
    norm: Norm, scale: float
) -> None:
    gradients = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(0)) * scale
    direction = ThreatModel(norm, 1.0).steepest(gradients)
    assert torch.allclose(lengths(direction, norm), torch.ones(4))
    assert (direction * gradients >= 0).all()


@pytest.mark.parametrize("norm", NORMS)
def test_no_gradient_gives_no_direction(norm: Norm) -> None:
    assert torch.equal(
        ThreatModel(norm, 1.0).steepest(torch.zeros(2, *SHAPE)), torch.zeros(2, *SHAPE)
    )


def test_no_direction_of_the_same_length_climbs_a_linear_function_faster() -> None:
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn(1, *SHAPE, generator=generator)
    for norm in NORMS:
        best = float((ThreatModel(norm, 1.0).steepest(gradients) * gradients).sum())
        others = torch.randn(500, *SHAPE, generator=generator)
        others /= lengths(others, norm).view(-1, 1, 1, 1)
        assert best > float((others * gradients).flatten(1).sum(1).max())


@given(st.floats(0, 1, allow_subnormal=False))
def test_a_written_length_reads_back(value: float) -> None:
    assert parse_fraction(format_fraction(value), "eps") == pytest.approx(value, rel=2e-9)


@given(st.integers(1, 254), st.sampled_from([1, 2, 4]))
def test_quarters_of_a_grey_level_are_written_in_255ths(numerator: int, part: int) -> None:
    text = f"{numerator / part:g}/255"
    if len(text) <= len("0.25/255"):
        assert format_fraction(parse_fraction(text, "eps")) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("4/255", 4 / 255), ("0.25/255", 0.25 / 255), ("0.5", 0.5), (0.5, 0.5), (1, 1.0), ("0", 0.0)],
)
def test_numbers_and_fractions_are_read(text: str | float, value: float) -> None:
    assert parse_fraction(text, "eps") == value


@pytest.mark.parametrize(
    "text", ["", "four", "4/", "/255", "1/2/3", "4/0", "-1/255", -0.1, "nan", float("inf"), "4|255"]
)
def test_what_is_no_length_is_named_and_refused(text: str | float) -> None:
    with pytest.raises(ConfigurationError, match=r"step_size is .* such as 4/255"):
        parse_fraction(text, "step_size")


def test_a_radius_in_grey_levels_is_met_with_the_fraction_that_was_meant() -> None:
    with pytest.raises(ConfigurationError, match=r"eps is 4, .* did you mean 4/255 = 0\.0157\?"):
        ThreatModel("linf", 4.0)


@pytest.mark.parametrize("eps", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("norm", NORMS)
def test_impossible_radii_are_refused(norm: Norm, eps: float) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        ThreatModel(norm, eps)


def test_radii_of_several_pixels_are_no_mistake_but_for_linf() -> None:
    assert ThreatModel("l2", 3.0).eps == 3
    assert ThreatModel("l1", 12.0).eps == 12
    with pytest.raises(ConfigurationError) as caught:
        ThreatModel("l1", -12.0)
    assert "255" not in str(caught.value)


def test_unknown_norms_are_refused_by_naming_the_known() -> None:
    with pytest.raises(ConfigurationError, match=r"'l3'.*'linf', 'l2' or 'l1'"):
        ThreatModel("l3", 0.1)  # type: ignore[arg-type]  # what a user may write


def test_the_key_names_norm_and_radius() -> None:
    assert ThreatModel("linf", 1 / 255).key == "linf-1/255"
    assert ThreatModel("l2", 0.5).key == "l2-0.5"
    assert ThreatModel("l1", 12).key == "l1-12"
