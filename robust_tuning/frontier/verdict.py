"""What the strategies of a panel amount to, and how sure one can be: plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Scalar:
    """One number about one strategy.

    Attributes:
        key: Its short name, such as `area` or `robust_accuracy_at_best_accuracy`.
        value: The number.
        interval: Its interval; None where there can be none.
    """

    key: str
    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Difference:
    """The area of one strategy less that of another.

    Attributes:
        first: The strategy with the larger area.
        second: The other one.
        value: The difference, not negative.
        interval: Its interval, widened for the number of comparisons.
        called: Whether the interval excludes zero.
    """

    first: str
    second: str
    value: float
    interval: tuple[float, float]
    called: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one panel of one comparison.

    Attributes:
        sentence: The recommendation with its evidence, or that the data cannot tell and how many
            more examples would.
        groups: Strategies by falling area; those of one group cannot be told apart.
        scalars: By strategy.
        definitions: By key of a scalar, what it is, in one line.
        differences: Between every two strategies.
        warnings: What a careful reviewer would object to.
        notes: What the intervals cover, and why something is missing.
    """

    sentence: str
    groups: tuple[tuple[str, ...], ...]
    scalars: Mapping[str, tuple[Scalar, ...]]
    definitions: Mapping[str, str]
    differences: tuple[Difference, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
