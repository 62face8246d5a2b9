"""Areas in the form of the study's table: strategies down, benchmarks across.

"On the Robustness Tradeoff in Fine-Tuning" (arXiv 2503.14836) gives two decimals and says
of the best strategy by how much its area exceeds the average, which is the mean over all strategies
with the best itself in it.
"""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from robust_tuning.frontier.comparison import Comparison, Panel
from robust_tuning.frontier.observed import above_average
from robust_tuning.frontier.tables import narrow_table

Column = tuple[Comparison, Panel]


def paper_tables(comparisons: Sequence[Comparison]) -> Group:
    """One table per backbone, split, attack and threat, a benchmark to a column.

    A benchmark that was measured on several sets of examples has a column for each.
    """
    tables: dict[tuple[str | None, ...], list[Column]] = {}
    for comparison in comparisons:
        _, backbone, split, attack, _ = comparison.conditions
        for panel in comparison.panels:
            tables.setdefault((backbone, split, attack, panel.threat), []).append(
                (comparison, panel)
            )
    parts: list[RenderableType] = []
    for columns in tables.values():
        comparison, panel = columns[0]
        parts += [_title(columns), _table(columns), *map(_best, columns)]
        parts.append(Text(f"{comparison.attack_label} · {panel.threat}", style="dim"))
        parts += [Text(f"{comparison.settings.definition}; * the best", style="dim"), Text()]
    return Group(*parts)


def _title(columns: Sequence[Column]) -> Text:
    comparison, panel = columns[0]
    conditions = comparison.conditions
    return Text(f"area · {conditions.backbone} · {conditions.split} · {panel.threat}")


def _table(columns: Sequence[Column]) -> Table:
    table = narrow_table()
    table.add_column("strategy", overflow="fold")
    for column in columns:
        table.add_column(Text(_name(column, columns)), justify="right", overflow="fold")
    for strategy in dict.fromkeys(c.strategy for _, panel in columns for c in panel.curves):
        table.add_row(Text(strategy), *(_cell(panel, strategy) for _, panel in columns))
    return table


def _cell(panel: Panel, strategy: str) -> Text:
    areas = {curve.strategy: curve.frontier.area for curve in panel.curves}
    if strategy not in areas:
        return Text("")
    text = f"{areas[strategy]:.2f}".removeprefix("0")
    best = areas[strategy] == max(areas.values())
    return Text(f"*{text}", style="bold") if best else Text(text)


def _name(column: Column, columns: Sequence[Column]) -> str:
    conditions = column[0].conditions
    twins = [one for one, _ in columns if one.conditions.benchmark == conditions.benchmark]
    examples = f"\n#{conditions.examples}" if len(twins) > 1 else ""
    return f"{conditions.benchmark}{examples}"


def _best(column: Column) -> Text:
    return Text("".join(_best_parts(*column)))


def _best_parts(comparison: Comparison, panel: Panel) -> Iterator[str]:
    best = panel.curves[0]
    yield f"{comparison.conditions.benchmark}: best: {best.strategy}"
    scalars = above_average(panel.curves, comparison.settings.confidence)
    if best.strategy in scalars:
        one = scalars[best.strategy]
        yield f", {100 * one.value:.1f} % above the average of the strategies, winner included"
        if one.interval is not None:
            low, high = (100 * end for end in one.interval)
            yield f" [{low:.1f}, {high:.1f}]"
