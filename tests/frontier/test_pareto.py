import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.frontier.pareto import (
    Interpolation,
    area_definition,
    dominated_area,
    pareto_mask,
)

Points = list[tuple[float, float]]
GRID = 12  # coarse coordinates, so that ties and duplicates are common

coordinates = st.integers(0, GRID).map(lambda k: k / GRID)
points = st.lists(st.tuples(coordinates, coordinates), max_size=12)
corners = st.tuples(*[st.integers(0, GRID - 1).map(lambda k: k / GRID)] * 2)
interpolations: st.SearchStrategy[Interpolation] = st.sampled_from(["staircase", "linear"])


def columns(values: Points) -> tuple[list[float], list[float]]:
    return [x for x, _ in values], [y for _, y in values]


def members(values: Points) -> Points:
    mask = pareto_mask(*columns(values))
    return [point for point, member in zip(values, mask, strict=True) if member]


def brute_force(values: Points) -> set[tuple[float, float]]:
    def dominates(p: tuple[float, float], q: tuple[float, float]) -> bool:
        return p[0] >= q[0] and p[1] >= q[1] and p != q

    return {q for q in values if not any(dominates(p, q) for p in values)}


@given(points)
def test_members_are_those_that_none_dominates(values: Points) -> None:
    found = members(values)
    assert set(found) == brute_force(values)
    assert len(found) == len(set(found))


@given(points)
def test_of_equal_points_the_first_is_the_member(values: Points) -> None:
    mask = pareto_mask(*columns(values))
    assert all(values.index(values[i]) == i for i in np.flatnonzero(mask))


@given(points)
def test_members_of_the_members_are_all_of_them(values: Points) -> None:
    assert pareto_mask(*columns(members(values))).all()


@given(points, st.randoms())
def test_order_and_duplicates_change_nothing(values: Points, random: np.random.Generator) -> None:
    shuffled = values + values[::2]
    random.shuffle(shuffled)
    assert set(members(shuffled)) == set(members(values))
    for interpolation in ("staircase", "linear"):
        areas = [
            dominated_area(*columns(v), interpolation=interpolation) for v in (values, shuffled)
        ]
        assert areas[0] == pytest.approx(areas[1], abs=1e-12)


@given(points, corners)
def test_the_staircase_is_the_union_of_the_rectangles(
    values: Points, reference: tuple[float, float]
) -> None:
    # Count the grid's cells that lie in some rectangle: the coordinates are multiples of a cell.
    left, floor = (round(value * GRID) for value in reference)
    covered = {
        (i, j)
        for x, y in values
        for i in range(left, round(x * GRID))
        for j in range(floor, round(y * GRID))
    }
    area = dominated_area(*columns(values), reference=reference)
    assert area == pytest.approx(len(covered) / GRID**2, abs=1e-12)


@given(points, corners)
def test_the_line_is_the_integral_below_the_members(
    values: Points, reference: tuple[float, float]
) -> None:
    above = [p for p in brute_force(values) if p[0] > reference[0] and p[1] > reference[1]]
    area = dominated_area(*columns(values), reference=reference, interpolation="linear")
    if not above:
        assert area == 0
        return
    x, y = map(np.array, zip(*sorted(above), strict=True))
    # np.interp continues horizontally to the left; the trapezoids are exact between the knots.
    knots = np.union1d([reference[0]], x)
    expected = np.trapezoid(np.interp(knots, x, y) - reference[1], knots)
    assert area == pytest.approx(expected, abs=1e-12)


@given(points, st.tuples(coordinates, coordinates), corners)
def test_a_point_more_never_shrinks_the_staircase(
    values: Points, point: tuple[float, float], reference: tuple[float, float]
) -> None:
    before = dominated_area(*columns(values), reference=reference)
    after = dominated_area(*columns([*values, point]), reference=reference)
    assert after >= before - 1e-12
    hidden = point not in brute_force([*values, point]) or point in values
    if hidden:
        assert after == pytest.approx(before, abs=1e-12)


@given(points, corners)
def test_the_line_is_never_below_the_staircase(
    values: Points, reference: tuple[float, float]
) -> None:
    line = dominated_area(*columns(values), reference=reference, interpolation="linear")
    assert line >= dominated_area(*columns(values), reference=reference) - 1e-12


def test_the_line_can_shrink_as_documented() -> None:
    two = dominated_area([0.2, 1.0], [1.0, 0.2], interpolation="linear")
    three = dominated_area([0.2, 0.4, 1.0], [1.0, 0.4, 0.2], interpolation="linear")
    assert three < two


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30), interpolations
)
def test_an_area_lies_between_one_member_and_the_box(
    values: Points, interpolation: Interpolation
) -> None:
    x, y = columns(values)
    area = dominated_area(x, y, interpolation=interpolation)
    assert max(a * b for a, b in values) - 1e-12 <= area <= max(x) * max(y) + 1e-12


def test_no_robustness_gives_no_area() -> None:
    assert dominated_area([0.9, 0.5], [0.0, 0.0]) == 0
    assert dominated_area([], []) == 0


def test_every_definition_is_another_one_line_text() -> None:
    texts = [
        area_definition(reference, interpolation)
        for reference in ((0.0, 0.0), (0.1, 0.0), (0.0, 0.1))
        for interpolation in ("staircase", "linear")
    ]
    assert len(set(texts)) == 6
    assert not any("\n" in text for text in texts)
    assert "accuracy 0.1 and robust accuracy 0" in texts[2]


@pytest.mark.parametrize("bad", [[0.1, float("nan")], [0.1, float("inf")], [0.1], [[0.1, 0.2]]])
def test_what_cannot_be_compared_is_refused(bad: list[float]) -> None:
    with pytest.raises(DataError, match="expected"):
        pareto_mask([0.5, 0.6], bad)
    with pytest.raises(DataError, match="expected"):
        dominated_area(bad, [0.5, 0.6])


@pytest.mark.parametrize("reference", [(1.0, 0.0), (0.0, -0.1), (float("nan"), 0.0)])
def test_a_corner_outside_the_square_is_refused(reference: tuple[float, float]) -> None:
    with pytest.raises(ConfigurationError, match=r"reference is .*expected"):
        dominated_area([0.5], [0.5], reference=reference)


def test_an_unknown_interpolation_names_the_known() -> None:
    with pytest.raises(ConfigurationError, match="'cubic': expected 'staircase' or 'linear'"):
        dominated_area([0.5], [0.5], interpolation="cubic")  # type: ignore[arg-type]  # the error
