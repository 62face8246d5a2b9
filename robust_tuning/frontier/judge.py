"""The answer for one panel: which strategy to take, how sure that is, what speaks against it."""

from collections.abc import Mapping, Sequence

import numpy as np

from robust_tuning.frontier.checks import objections
from robust_tuning.frontier.comparison import AreaSettings, Comparison, Curve, Panel
from robust_tuning.frontier.differences import Comparisons, all_differences, groups_of
from robust_tuning.frontier.notes import MOST_COMPARED, can_be_compared, is_complete, notes_on
from robust_tuning.frontier.observed import scalars_of_panel
from robust_tuning.frontier.recommendation import recommendation
from robust_tuning.frontier.scalars import AREA, DEFINITIONS, EXPECTED
from robust_tuning.frontier.verdict import Scalar, Verdict


def judge(comparison: Comparison, panel: Panel, comparisons: Sequence[Comparison] = ()) -> Verdict:
    """Sum up a panel.

    Args:
        comparison: Where the panel stands.
        panel: One of its panels.
        comparisons: All there are, for the check of one attack against another.

    Returns:
        The verdict; without replicates, with one strategy or with fewer than 20 examples it has no
        differences.
    """
    settings = comparison.settings
    compared = [one for one in panel.curves if can_be_compared(one)][:MOST_COMPARED]
    found = _differences(compared, settings)
    called = {(one.first, one.second) for one in found.differences if one.called}
    names = [one.strategy for one in panel.curves[:MOST_COMPARED]]
    scalars = scalars_of_panel(panel, settings)
    return Verdict(
        sentence=recommendation(panel, found, is_complete(panel), settings),
        groups=tuple(groups_of(names, called)),
        scalars=scalars,
        definitions=_definitions(panel, scalars, settings),
        differences=found.differences,
        warnings=objections(comparison, panel, comparisons),
        notes=tuple(notes_on(comparison, panel, found)),
    )


def judge_all(comparisons: Sequence[Comparison]) -> list[list[Verdict]]:
    """The verdicts on all panels, a list for each comparison."""
    return [
        [judge(comparison, panel, comparisons) for panel in comparison.panels]
        for comparison in comparisons
    ]


def _differences(curves: Sequence[Curve], settings: AreaSettings) -> Comparisons:
    if len(curves) < 2:
        return Comparisons((), 0.0)
    areas = np.array([curve.frontier.area for curve in curves])
    samples = np.stack([one.replicates.samples[AREA] for one in curves if one.replicates])
    names = [curve.strategy for curve in curves]
    return all_differences(names, areas, samples, settings.confidence)


def _definitions(
    panel: Panel, scalars: Mapping[str, tuple[Scalar, ...]], settings: AreaSettings
) -> dict[str, str]:
    keys = dict.fromkeys(one.key for some in scalars.values() for one in some)
    definitions = {key: DEFINITIONS.get(key, settings.definition) for key in keys}
    if EXPECTED in definitions:
        definitions[EXPECTED] += f": {', '.join(name for name, _ in panel.radii)}"
    return definitions
