from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, linprog
from torch import Tensor

from robust_tuning.attacks.fab_projections import to_hyperplane
from robust_tuning.types import Norm

NORMS: tuple[Norm, ...] = ("linf", "l2", "l1")


def shortest_linf(point: Any, normal: Any, height: float) -> float | None:
    """Length of the shortest offset by linear programming; None where the plane misses the box."""
    n = len(point)
    length = np.eye(1, n + 1, n).ravel()
    spread = np.ones((n, 1))
    solved = linprog(
        length,
        A_ub=np.block([[np.eye(n), -spread], [-np.eye(n), -spread]]),
        b_ub=np.zeros(2 * n),
        A_eq=np.append(normal, 0.0)[None],
        b_eq=[-height],
        bounds=[*zip(-point, 1 - point, strict=True), (0, None)],
    )
    return float(solved.fun) if solved.success else None


def shortest_l1(point: Any, normal: Any, height: float) -> float | None:
    """The same for `l1`, each pixel's way up and its way down being unknowns of their own."""
    solved = linprog(
        np.ones(2 * len(point)),
        A_eq=np.concatenate([normal, -normal])[None],
        b_eq=[-height],
        bounds=[*((0, up) for up in 1 - point), *((0, down) for down in point)],
    )
    return float(solved.fun) if solved.success else None


def nearest_l2(point: Any, normal: Any, height: float) -> Any:
    """The offset that meets the optimality conditions, its multiplier found by root finding."""

    def offset(multiplier: float) -> Any:
        return np.clip(-multiplier * normal, -point, 1 - point)

    def left(multiplier: float) -> float:
        return float(normal @ offset(multiplier) + height)

    if left(-1e6) * left(1e6) > 0:
        return None
    return offset(brentq(left, -1e6, 1e6, xtol=1e-14, rtol=1e-14, maxiter=500))


def problem(seed: int, n: int, reach: float) -> tuple[Tensor, Tensor, Tensor]:
    """Points of which some lie on the bounds, normals of which some components are zero."""
    generator = torch.Generator().manual_seed(seed)
    draw = torch.rand(3, n, generator=generator, dtype=torch.float64)
    points = (draw[0] * 1.4 - 0.2).clamp(0, 1)
    normals = torch.where(draw[2] < 0.15, 0.0, draw[1] * 2 - 1)
    heights = (torch.rand(1, generator=generator, dtype=torch.float64) * 2 - 1) * reach
    return points[None], normals[None], heights * normals.abs().sum()


CASES = given(seed=st.integers(0, 10**6), n=st.integers(1, 30), reach=st.floats(0.01, 1.2))


@CASES
@settings(max_examples=150, deadline=None)
def test_under_linf_the_offset_is_as_short_as_linear_programming_finds(
    seed: int, n: int, reach: float
) -> None:
    points, normals, heights = problem(seed, n, reach)
    offsets = to_hyperplane(points, normals, heights, "linf")
    expected = shortest_linf(points[0].numpy(), normals[0].numpy(), float(heights))
    if expected is not None:
        assert float(offsets.abs().amax()) == pytest.approx(expected, abs=1e-9)
        assert float((normals * offsets).sum() + heights) == pytest.approx(0, abs=1e-9)


@CASES
@settings(max_examples=150, deadline=None)
def test_under_l1_the_offset_is_as_short_as_linear_programming_finds(
    seed: int, n: int, reach: float
) -> None:
    points, normals, heights = problem(seed, n, reach)
    offsets = to_hyperplane(points, normals, heights, "l1")
    expected = shortest_l1(points[0].numpy(), normals[0].numpy(), float(heights))
    if expected is not None:
        assert float(offsets.abs().sum()) == pytest.approx(expected, abs=1e-9)
        assert float((normals * offsets).sum() + heights) == pytest.approx(0, abs=1e-9)


@CASES
@settings(max_examples=150, deadline=None)
def test_under_l2_the_offset_is_the_one_that_is_optimal(seed: int, n: int, reach: float) -> None:
    points, normals, heights = problem(seed, n, reach)
    offsets = to_hyperplane(points, normals, heights, "l2")
    expected = nearest_l2(points[0].numpy(), normals[0].numpy(), float(heights))
    if expected is not None:
        assert offsets[0].numpy() == pytest.approx(expected, abs=1e-8)
        assert float((normals * offsets).sum() + heights) == pytest.approx(0, abs=1e-9)


@CASES
@settings(max_examples=100, deadline=None)
@pytest.mark.parametrize("norm", NORMS)
def test_the_box_is_never_left_and_where_the_plane_misses_it_the_nearest_corner_is_taken(
    norm: Norm, seed: int, n: int, reach: float
) -> None:
    points, normals, heights = problem(seed, n, reach)
    offsets = to_hyperplane(points, normals, heights, norm)
    landed = points + offsets
    assert landed.min() >= -1e-15
    assert landed.max() <= 1 + 1e-15
    assert (offsets[normals == 0] == 0).all()
    falls = heights > 0
    corner = torch.where((normals > 0) == falls, 0.0, 1.0)
    progress = (normals * (corner - points)).sum().abs()
    if heights.abs() > progress:
        assert torch.allclose(landed[normals != 0], corner.double()[normals != 0], atol=1e-15)


@pytest.mark.parametrize("norm", NORMS)
def test_rows_do_not_touch_each_other(norm: Norm) -> None:
    rows = [problem(seed, 12, 0.4) for seed in range(5)]
    points, normals, heights = (torch.cat(column) for column in zip(*rows, strict=True))
    together = to_hyperplane(points, normals, heights, norm)
    for row, alone in zip(together, rows, strict=True):
        assert torch.allclose(row, to_hyperplane(*alone, norm)[0], atol=1e-15)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [1e-25, 1e12])
def test_the_length_of_the_normal_means_nothing_also_in_single_precision(
    norm: Norm, scale: float
) -> None:
    points, normals, heights = (tensor.float() for tensor in problem(3, 50, 0.2))
    one = to_hyperplane(points, normals, heights, norm)
    other = to_hyperplane(points, normals * scale, heights * scale, norm)
    assert torch.allclose(one, other, atol=1e-6)
    assert one.abs().max() > 0.01


@pytest.mark.parametrize("norm", NORMS)
def test_a_plane_without_direction_or_through_the_point_moves_nothing(norm: Norm) -> None:
    points = torch.tensor([[0.0, 0.5], [0.0, 0.5], [0.2, 1.0]])
    normals = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, -2.0]])
    offsets = to_hyperplane(points, normals, torch.tensor([0.0, 0.3, 0.0]), norm)
    assert (offsets == 0).all()


def test_a_large_image_reaches_its_plane_in_single_precision() -> None:
    points, normals, heights = problem(0, 3 * 224 * 224, 0.1)
    for norm in NORMS:
        offsets = to_hyperplane(points.float(), normals.float(), heights.float(), norm)
        left = (normals * offsets).sum() + heights
        assert abs(float(left / heights)) < 1e-4
