"""Verdicts as CSV: one file of scalars, one of differences."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from robust_tuning.frontier.comparison import Comparison, Panel
from robust_tuning.frontier.export import Row, conditions_row, save_rows
from robust_tuning.frontier.verdict import Verdict


def save_verdict_csv(
    comparisons: Sequence[Comparison], verdicts: Sequence[Sequence[Verdict]], folder: Path
) -> list[Path]:
    """Write `scalars.csv` (a row per strategy and scalar) and `differences.csv` (one per pair).

    Args:
        comparisons: From `compare`.
        verdicts: From `judge_all`.
        folder: Where the files go; made if it is missing.

    Returns:
        The files written; `differences.csv` is not among them if there are none.
    """
    scalars: list[Row] = []
    differences: list[Row] = []
    for comparison, of_panels in zip(comparisons, verdicts, strict=True):
        for panel, verdict in zip(comparison.panels, of_panels, strict=True):
            shared = {**conditions_row(comparison), "threat": panel.threat}
            scalars += ({**shared, **row} for row in _scalar_rows(panel, verdict))
            confidence = comparison.settings.confidence
            differences += (
                {
                    **shared,
                    "first": one.first,
                    "second": one.second,
                    "difference": one.value,
                    "difference_low": one.interval[0],
                    "difference_high": one.interval[1],
                    "called": int(one.called),
                    "comparisons": len(verdict.differences),
                    "confidence": confidence,
                }
                for one in verdict.differences
            )
    written = {folder / "scalars.csv": scalars, folder / "differences.csv": differences}
    for path, rows in written.items():
        if rows:
            save_rows(rows, path)
    return [path for path, rows in written.items() if rows]


def _scalar_rows(panel: Panel, verdict: Verdict) -> Iterator[Row]:
    for curve in panel.curves:
        for scalar in verdict.scalars[curve.strategy]:
            low, high = scalar.interval or ("", "")
            yield {
                "strategy": curve.strategy,
                "scalar": scalar.key,
                "value": scalar.value,
                "low": low,
                "high": high,
                "definition": verdict.definitions[scalar.key],
            }
