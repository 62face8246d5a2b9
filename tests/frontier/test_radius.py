from fractions import Fraction

import pytest

from robust_tuning.frontier.radius import contained, radius


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linf-0.25/255", ("linf", Fraction(1, 1020))),
        ("linf-1/510", ("linf", Fraction(1, 510))),
        ("l2-3", ("l2", Fraction(3))),
        ("l1-1e-2", ("l1", Fraction(1, 100))),
        ("linf-0", ("linf", Fraction(0))),
    ],
)
def test_norm_and_radius(name: str, expected: tuple[str, Fraction]) -> None:
    assert radius(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "",
        "linf",
        "linf-",
        "-1/255",
        "linf-a",
        "linf-1/0",
        "l2--1",
        "rotation",
        "linf-nan",
        "linf-inf",
    ],
)
def test_a_name_without_a_radius_has_none(name: str) -> None:
    assert radius(name) is None
    assert contained(name, ["linf-1/255"]) == ()


def test_smaller_radii_of_the_norm_are_contained() -> None:
    names = ["linf-8/255", "l2-0.01", "linf-1/255", "linf-0", "linf-2/255", "linf-4/255", "odd"]
    assert contained("linf-4/255", [*names, "linf-0.5/255"]) == (
        ("linf-0.5/255", Fraction(1, 510)),
        ("linf-1/255", Fraction(1, 255)),
        ("linf-2/255", Fraction(2, 255)),
        ("linf-4/255", Fraction(4, 255)),
    )
    assert contained("linf-0", names) == ()
