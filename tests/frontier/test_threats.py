import pytest

from robust_tuning.frontier.threats import radius_of


@pytest.mark.parametrize(
    ("threat", "expected"),
    [
        ("linf-0.25/255", ("linf", 0.25 / 255)),
        ("l2-3", ("l2", 3.0)),
        ("l1-1e-2", ("l1", 0.01)),
        ("linf-0", ("linf", 0.0)),
        ("rotation", None),
        ("linf-", None),
        ("linf-1/0", None),
        ("linf-nan", None),
        ("linf-inf", None),
    ],
)
def test_norm_and_radius(threat: str, expected: tuple[str, float] | None) -> None:
    assert radius_of(threat) == expected
