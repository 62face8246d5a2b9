"""The frontier between accuracy and robust accuracy: points, their store, areas and reports.

Knows nothing of torch: a run can be compared on any machine that has NumPy.
"""

from robust_tuning.frontier.outcomes import ExampleOutcomes, ShiftOutcomes
from robust_tuning.frontier.point import AttackIdentity, Cost, Estimate, FrontierPoint
from robust_tuning.frontier.statistics import wilson
from robust_tuning.frontier.store import Run, append_point, find_runs, read_points, truncate_points

__all__ = [
    "AttackIdentity",
    "Cost",
    "Estimate",
    "ExampleOutcomes",
    "FrontierPoint",
    "Run",
    "ShiftOutcomes",
    "append_point",
    "find_runs",
    "read_points",
    "truncate_points",
    "wilson",
]
