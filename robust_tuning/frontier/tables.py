"""How tables look: narrow, a number above its interval."""

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from robust_tuning.frontier.measure import Measure


def narrow_table(title: str | None = None) -> Table:
    """As narrow as it can be, so that a table of seven strategies fits 80 columns."""
    return Table(
        title=Text(title) if title else None,
        title_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=0,
    )


def two_lines(value: str, interval: str) -> Text:
    """A value, and fainter below it its interval."""
    return Text.assemble(value, "\n", (interval, "dim"))


def percent(measure: Measure, *, sign: bool = False) -> tuple[str, str]:
    """A measure and its interval in percent; the second is empty where there is none.

    >>> percent(Measure(0.5, 10, (0.25, 0.751)))
    ('50.0', '[25.0,75.1]')
    >>> percent(Measure(1.02, 10, (0.99, 1.054)))
    ('102.0', '[99.0,105]')
    """
    value = f"{100 * measure.value:{'+' if sign else ''}.1f}"
    if measure.interval is None:
        return value, ""
    # From a hundred on without a decimal, which would widen the column.
    ends = (f"{100 * end:.{1 if abs(end) < 0.9995 else 0}f}" for end in measure.interval)
    return value, f"[{','.join(ends)}]"


def fraction(measure: Measure) -> tuple[str, str]:
    """A measure and its interval as fractions without the leading zero."""
    if measure.interval is None:
        return short_fraction(measure.value), ""
    return short_fraction(measure.value), f"[{','.join(map(short_fraction, measure.interval))}]"


def short_fraction(value: float) -> str:
    """Three digits, none of them a leading zero.

    >>> short_fraction(0.25), short_fraction(-0.0625), short_fraction(1.0)
    ('.250', '-.062', '1.00')
    """
    text = f"{value:.3f}"
    return text[:-1] if abs(value) >= 0.9995 else text.replace("0.", ".", 1)
