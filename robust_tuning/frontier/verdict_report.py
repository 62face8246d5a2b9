"""A verdict as a reader meets it: the answer first, then what it rests on."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from robust_tuning.frontier.comparison import Curve, Panel
from robust_tuning.frontier.measure import Measure
from robust_tuning.frontier.scalars import BEST_SUM, EXPECTED, OOD_AREA
from robust_tuning.frontier.tables import fraction, narrow_table, two_lines
from robust_tuning.frontier.verdict import Scalar, Verdict

_COLUMNS = {
    BEST_SUM: "best acc.\n+ robust",
    EXPECTED: "expected\nrobustness",
    OOD_AREA: "OOD\narea",
}
_SHOWN = 12


def answer(verdict: Verdict) -> Iterator[RenderableType]:
    """The sentence, and which strategies stand together."""
    yield Text(verdict.sentence, style="bold")
    if len(verdict.groups) > 1 or verdict.differences:
        groups = [", ".join(_first(group)) for group in verdict.groups]
        yield Text(
            "not separable within: " + " | ".join(f"{{{group}}}" for group in _first(groups))
        )
    yield Text()


def evidence(panel: Panel, verdict: Verdict) -> Iterator[RenderableType]:
    """The other scalars, by how much each area is below the largest, and what all of it means."""
    yield _table(panel, verdict)
    for key in _keys(verdict):
        name = _COLUMNS[key].replace("\n", " ")
        yield Text(f"{name}: {verdict.definitions[key]}", style="dim")
    if verdict.differences:
        yield Text("area below best: * where the difference is called", style="dim")
    yield from (Text(f"note: {note}", style="dim") for note in verdict.notes)
    yield from (Text(f"warning: {warning}", style="yellow") for warning in verdict.warnings)


def _table(panel: Panel, verdict: Verdict) -> Table:
    keys = _keys(verdict)
    table = narrow_table("beside the area")
    table.add_column("strategy", overflow="fold")
    for key in keys:
        table.add_column(_COLUMNS[key], justify="right", overflow="fold")
    if verdict.differences:
        table.add_column("area below\nbest", justify="right", overflow="fold")
    for curve in panel.curves:
        scalars = {scalar.key: scalar for scalar in verdict.scalars[curve.strategy]}
        cells = [_cell(scalars[key]) if key in scalars else Text("") for key in keys]
        if verdict.differences:
            cells.append(_below(panel.curves[0], curve, verdict))
        table.add_row(Text(curve.strategy, style="bold"), *cells)
    return table


def _keys(verdict: Verdict) -> list[str]:
    return [key for key in _COLUMNS if key in verdict.definitions]


def _cell(scalar: Scalar) -> Text:
    return two_lines(*fraction(Measure(scalar.value, 0, scalar.interval)))


def _below(best: Curve, curve: Curve, verdict: Verdict) -> Text:
    for one in verdict.differences:
        if (one.first, one.second) == (best.strategy, curve.strategy):
            value, interval = fraction(Measure(one.value, 0, one.interval))
            mark = "*" if one.called else " "
            return two_lines(f"{value}{mark}", f"{interval} ")
    return Text("")


def _first(names: Sequence[str]) -> list[str]:
    more = [f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return [*names[:_SHOWN], *more]
