"""Points as rows of a history that only grows, such as a tracking service keeps.

A run's file changes otherwise than by growing: a point is joined by what else is measured of its
state, and a run that is resumed forgets what it had not done yet. So a row says where its line
stands and how many lines there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from robust_tuning.frontier.point import FrontierPoint

POINT, PLACE, COUNT = "frontier/point", "frontier/place", "frontier/count"
KEYS = (POINT, PLACE, COUNT)


def to_row(points: Sequence[FrontierPoint], place: int) -> dict[str, str | int]:
    """The row of a point.

    Args:
        points: All points of the run.
        place: Which of them is new or has changed.

    Raises:
        DataError: The point holds a value that JSON cannot hold.
    """
    return {POINT: points[place].to_json(), PLACE: place, COUNT: len(points)}


def to_lines(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The lines of the run's file, without their ends, as they are after all rows.

    >>> line = lambda text, place, count: {POINT: text, PLACE: place, COUNT: count}
    >>> to_lines([line("a", 0, 1), line("b", 1, 2), line("c", 2, 3), line("B", 1, 2)])
    ['a', 'B']
    """
    lines: dict[int, str] = {}
    for row in rows:
        lines[int(row[PLACE])] = row[POINT]
        lines = {place: line for place, line in lines.items() if place < int(row[COUNT])}
    return [lines[place] for place in sorted(lines)]
