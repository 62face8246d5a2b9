from rich.console import Console

from robust_tuning.frontier.measure import Measure
from robust_tuning.frontier.tables import fraction, narrow_table, percent, short_fraction, two_lines


def test_numbers_without_interval_stand_alone() -> None:
    assert percent(Measure(0.123, 5)) == ("12.3", "")
    assert fraction(Measure(0.123, 5)) == (".123", "")


def test_signs_are_shown_where_they_mean_something() -> None:
    assert percent(Measure(0.02, 5, (-0.01, 0.05)), sign=True) == ("+2.0", "[-1.0,5.0]")
    assert percent(Measure(-0.02, 5), sign=True) == ("-2.0", "")


def test_fractions_fit_eleven_columns() -> None:
    assert fraction(Measure(0.99, 5, (0.9, 1.0))) == (".990", "[.900,1.00]")
    assert short_fraction(-1.0) == "-1.00"
    assert short_fraction(0.9996) == "1.00"
    assert short_fraction(0.0) == ".000"


def test_a_value_stands_above_its_interval() -> None:
    table = narrow_table("[bold] title")
    table.add_column("a title fits")
    table.add_row(two_lines("12.3", "[1,2]"))
    console = Console(width=40)
    with console.capture() as capture:
        console.print(table)
    lines = [line.strip() for line in capture.get().splitlines()]
    assert lines[0] == "[bold] title"
    assert lines[-2:] == ["12.3", "[1,2]"]
