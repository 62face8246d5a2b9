"""What the name of a threat says."""

from math import isfinite


def radius_of(threat: str) -> tuple[str, float] | None:
    """The norm and the radius that a threat's name states; None where it states none.

    >>> radius_of("linf-2/255") == ("linf", 2 / 255)
    True
    >>> radius_of("l2-0.5"), radius_of("rotation")
    (('l2', 0.5), None)
    """
    norm, dash, length = threat.partition("-")
    numerator, slash, denominator = length.partition("/")
    try:
        radius = float(numerator) / (float(denominator) if slash else 1.0)
    except (ValueError, ZeroDivisionError):
        return None
    return (norm, radius) if dash and radius >= 0 and isfinite(radius) else None
