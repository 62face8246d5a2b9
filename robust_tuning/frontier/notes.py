"""What the intervals of a panel cover, and why some are missing."""

from collections.abc import Iterator

from robust_tuning.frontier.comparison import Comparison, Curve, Panel
from robust_tuning.frontier.differences import Comparisons
from robust_tuning.frontier.recommendation import in_words

# Fewer examples give a bootstrap too few different draws to say anything.
LEAST_EXAMPLES = 20
# So many curves are compared with one another, those of the largest areas.
MOST_COMPARED = 40


def can_be_compared(curve: Curve) -> bool:
    """Whether a difference from others would have an interval worth its name."""
    return curve.replicates is not None and curve.replicates.examples >= LEAST_EXAMPLES


def is_complete(panel: Panel) -> bool:
    """Whether all the curves can be compared, but for their number."""
    return all(map(can_be_compared, panel.curves))


def notes_on(comparison: Comparison, panel: Panel, found: Comparisons) -> Iterator[str]:
    """The notes of a verdict."""
    settings = comparison.settings
    if not settings.replicates:
        yield "no intervals of areas: no replicates were asked for"
    for curve in panel.curves if settings.replicates else ():
        if curve.note:
            yield f"{curve.strategy}: no interval of the area: {curve.note}"
        elif not can_be_compared(curve):
            n = curve.frontier.points[0].accuracy.n
            yield f"{curve.strategy}: not compared, {n} examples, expected {LEAST_EXAMPLES} or more"
    if found.differences:
        level = f"{100 * settings.confidence:g} %"
        yield (
            f"a difference is called if its interval excludes zero; the {len(found.differences)} "
            f"intervals hold together with {level} (bootstrap of the largest studentised "
            f"difference, {found.critical:.2f} standard errors; the same examples for all)"
        )
    if len(panel.curves) > MOST_COMPARED:
        yield (
            f"only the {MOST_COMPARED} largest of {len(panel.curves)} areas are compared and "
            "shown; areas.csv and scalars.csv have all"
        )
    yield from _notes_on_seeds(panel)
    yield from comparison.apart


def _notes_on_seeds(panel: Panel) -> Iterator[str]:
    known = [
        (one.strategy, one.replicates.seeds) for one in panel.curves if one.replicates is not None
    ]
    covered = [(name, seeds) for name, seeds in known if seeds != (1, 1)]
    without = [name for name, seeds in known if seeds == (1, 1)]
    if covered:
        fewest, most = min(s[0] for _, s in covered), max(s[1] for _, s in covered)
        counts = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        few = "; from so few seeds they are rough" if fewest < 5 else ""
        who = "all" if not without else in_words([name for name, _ in covered], "and")
        yield f"intervals cover examples and seeds ({counts} a setting) of {who}{few}"
    if without:
        who = "of any" if not covered else f"of {in_words(without, 'and')}"
        yield (
            f"intervals do not cover seeds {who}: no two runs differ only in their seed, so they "
            "speak of other images for the models at hand"
        )
