"""What a reader is shown of shifts: tables of strategies, and the block of one run."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from robust_tuning.frontier.measure import Measure
from robust_tuning.frontier.shift_measures import worst_group
from robust_tuning.frontier.shift_panel import ShiftCurve, ShiftPanel
from robust_tuning.frontier.tables import fraction, narrow_table, percent, two_lines

# So many columns of intervals beside the names of corruptions fill 80 columns.
_ACROSS = 5


def shift_tables(panels: Sequence[ShiftPanel]) -> Group:
    """Per shift: the strategies' accuracies, how these follow clean accuracy, and every group."""
    parts: list[RenderableType] = []
    for panel in panels:
        parts += [_accuracies(panel), Text(), _relations(panel), Text()]
        parts += [*_breakdown(panel), *_notes(panel), Text()]
    return Group(*parts)


def run_block(panels: Sequence[ShiftPanel]) -> Group:
    """The shifts of one run in a few lines, each at the run's most accurate point."""
    table = _with_columns(
        "OOD accuracy at the most accurate step",
        ("shift", "step", "mean %", "worst %", "ECE %\nmean", "Pearson\nwith clean"),
    )
    notes: list[Text] = []
    for panel in panels:
        for curve in panel.curves:
            best = curve.best
            worst = _percent(best.measures["worst"])
            if len(panel.layout.groups) > 1:
                worst.append(f"\n{worst_group(panel.layout, best.measures)}", "dim")
            table.add_row(
                Text(panel.conditions.shift, style="bold"),
                str(best.point.step),
                _percent(best.measures["mean"]),
                worst,
                _percent(best.measures.get("ece/shifted")),
                _coefficients(curve)[0],
            )
        notes.append(Text(f"{panel.label}; {panel.examples}", "dim"))
        notes += _line(panel)
        notes += [Text(f"{panel.conditions.shift}: {note}", "yellow") for note in panel.notes]
    return Group(table, *notes)


def _accuracies(panel: ShiftPanel) -> Table:
    several, mce = len(panel.layout.groups) > 1, panel.reference is not None
    columns = ["strategy", "at\nstep", "clean %", "mean %" if several else "shifted %"]
    columns += ["worst %"] * several + ["error above\nclean %"]
    columns += ["pooled %"] * (several and not panel.layout.severities) + ["mCE %"] * mce
    table = _with_columns(f"{panel.title}\n{panel.label}", columns)
    for curve in panel.curves:
        point, measures = curve.best.point, curve.best.measures
        clean = Measure.of_proportion(point.accuracy, panel.settings.confidence)
        cells = [clean, measures["mean"]]
        cells += [measures["worst"]] * several
        row = [*map(_percent, cells), _percent(measures["excess_error"], sign=True)]
        row += [_percent(measures["pooled"])] * (several and not panel.layout.severities)
        row += [_percent(measures.get("mce"))] * mce
        table.add_row(Text(curve.strategy, style="bold"), str(point.step), *row)
    return table


def _relations(panel: ShiftPanel) -> Table:
    """How accuracies go with confidence, and with clean accuracy over the points."""
    names = {"ece/clean": "ECE %\nclean", "ece/shifted": "ECE %\nshifted"}
    known = [name for name in names if any(name in c.best.measures for c in panel.curves)]
    columns = ["strategy", "runs /\npoints", *(names[name] for name in known)]
    columns += ["effective\nrobustn. %", "Pearson\nwith clean", "Spearman\nwith clean"]
    table = _with_columns("", columns)
    for curve in panel.curves:
        measures = curve.best.measures
        table.add_row(
            Text(curve.strategy, style="bold"),
            f"{len(curve.trajectories)} / {len(curve.points)}",
            *(_percent(measures.get(name)) for name in known),
            _percent(measures.get("effective_robustness"), sign=True),
            *_coefficients(curve),
        )
    return table


def _breakdown(panel: ShiftPanel) -> Iterator[RenderableType]:
    """Groups downwards, as there are more of them, and strategies across."""
    layout = panel.layout
    if len(layout.groups) == 1 and not layout.severities:
        return
    for first in range(0, len(panel.curves), _ACROSS):
        curves = panel.curves[first : first + _ACROSS]
        table = _with_columns("", ("accuracy %", *(_narrow(curve.strategy) for curve in curves)))
        worst = [worst_group(layout, curve.best.measures) for curve in curves]
        for name in layout.groups:
            marks = ["*" if name == other else "" for other in worst]
            table.add_row(Text(name), *_across(curves, f"group/{name}", marks))
        table.add_section()
        for severity in layout.severities:
            label = Text(f"severity {severity}, mean")
            table.add_row(label, *_across(curves, f"severity/{severity}", [""] * len(curves)))
        if panel.reference:
            table.add_section()
            table.add_row(
                Text("relative mCE"), *_across(curves, "relative_mce", [""] * len(curves))
            )
        yield table
        yield Text()


def _across(curves: Sequence[ShiftCurve], name: str, marks: Sequence[str]) -> Iterator[Text]:
    for curve, mark in zip(curves, marks, strict=True):
        measure = curve.best.measures.get(name)
        value, interval = ("", "") if measure is None else percent(measure)
        yield two_lines(mark + value, interval)


def _notes(panel: ShiftPanel) -> Iterator[Text]:
    shift, settings = panel.shift, panel.settings
    plain = [f"{k}={v}" for k, v in shift.settings.items() if isinstance(v, str | int | float)]
    name = shift.class_path.rpartition(".")[2]
    yield Text(f"{name}({', '.join(plain[:4])}) #{shift.fingerprint[:8]}", "dim")
    yield Text(panel.examples, "dim")
    averaged = "a corruption's accuracy is the mean over its severities; "
    yield Text(
        f"{averaged * bool(panel.layout.severities)}each strategy stands at the point of its "
        "highest clean accuracy; * its worst",
        "dim",
    )
    if panel.reference:
        yield Text(
            f"mCE: errors relative to those of {panel.reference.run} at step "
            f"{panel.reference.step} ({panel.reference.strategy}, {panel.reference.backbone})",
            "dim",
        )
    yield from _line(panel)
    level = f"{100 * settings.confidence:g}% intervals"
    yield Text(
        f"{level}: Wilson for proportions, {settings.replicates:,} bootstrap replicates for the "
        "rest, paired on the same images; they cover the sampling of images, not of training",
        "dim",
    )
    if any("ece/shifted" in curve.best.measures for curve in panel.curves):
        yield Text("ECE with its stored 95% interval, of means the mean of the ends", "dim")
    for note in panel.notes:
        yield Text(note, "yellow")


def _line(panel: ShiftPanel) -> Iterator[Text]:
    line = panel.line
    if line is None:
        return
    (slope, ends), (share, share_ends) = _words(line.slope), _words(line.r_squared)
    yield Text(
        f"line: {line.equation}, least squares through {line.points} points; slope {slope}{ends}, "
        f"R² {share}{share_ends}; effective robustness is the distance above it",
        "dim",
    )


def _words(measure: Measure) -> tuple[str, str]:
    if measure.interval is None:
        return f"{measure.value:.3f}", ""
    return f"{measure.value:.3f}", " [{:.3f}, {:.3f}]".format(*measure.interval)


def _with_columns(title: str, names: Sequence[str]) -> Table:
    table = narrow_table(title)
    if not title:
        table.title = None
    for position, name in enumerate(names):
        # A number is never cut short.
        side = {"no_wrap": True} if position == 0 else {"justify": "right", "overflow": "fold"}
        table.add_column(Text(name), **side)
    return table


def _narrow(strategy: str) -> str:
    """A class name, broken before its later words where it would widen a column of intervals."""
    if len(strategy) <= 11:
        return strategy
    middle = [i for i, letter in enumerate(strategy) if letter.isupper() and i]
    if not middle:
        return strategy
    at = min(middle, key=lambda i: abs(i - len(strategy) / 2))
    return f"{strategy[:at]}\n{strategy[at:]}"


def _percent(measure: Measure | None, *, sign: bool = False) -> Text:
    return Text() if measure is None else two_lines(*percent(measure, sign=sign))


def _coefficients(curve: ShiftCurve) -> tuple[Text, Text]:
    """Pearson's and Spearman's."""
    if curve.correlation is None:
        return Text(), Text()
    found = curve.correlation
    return two_lines(*fraction(found.pearson)), two_lines(*fraction(found.spearman))
