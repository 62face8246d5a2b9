"""The radius in a threat's name, and the threats that it contains."""

from collections.abc import Iterable
from fractions import Fraction

Radii = tuple[tuple[str, Fraction], ...]


def radius(threat: str) -> tuple[str, Fraction] | None:
    """Norm and radius of a threat; None if its name tells none.

    >>> radius("linf-1/255"), radius("linf-0.25/255"), radius("l2-0.5")
    (('linf', Fraction(1, 255)), ('linf', Fraction(1, 1020)), ('l2', Fraction(1, 2)))
    """
    norm, dash, eps = threat.partition("-")
    numerator, slash, denominator = eps.partition("/")
    try:
        # `Fraction` itself reads no decimals over a denominator.
        value = Fraction(numerator) / (Fraction(denominator) if slash else 1)
    except (ValueError, ZeroDivisionError):
        return None
    return (norm, value) if norm and dash and value >= 0 else None


def contained(threat: str, threats: Iterable[str]) -> Radii:
    """The threats of the same norm with a positive radius up to a threat's own, by rising radius.

    Whoever withstands a threat withstands all that it contains. Names with the same radius count
    once; the threat itself comes last.
    """
    own = radius(threat)
    if own is None or own[1] == 0:
        return ()
    found: dict[Fraction, str] = {own[1]: threat}
    for other in threats:
        parsed = radius(other)
        if parsed is not None and parsed[0] == own[0] and 0 < parsed[1] <= own[1]:
            found.setdefault(parsed[1], other)
    return tuple((name, eps) for eps, name in sorted(found.items()))
