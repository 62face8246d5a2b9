"""The frontier between accuracy and robust accuracy: points, their store, areas and reports.

Knows nothing of torch: a run can be compared on any machine that has NumPy.
"""

from robust_tuning.frontier.outcomes import ExampleOutcomes, ShiftOutcomes
from robust_tuning.frontier.pareto import area_definition, dominated_area, pareto_mask
from robust_tuning.frontier.pareto_frontier import ParetoFrontier
from robust_tuning.frontier.plots import save_plot
from robust_tuning.frontier.point import (
    AttackIdentity,
    Cost,
    Estimate,
    FrontierPoint,
    ShiftIdentity,
)
from robust_tuning.frontier.report import summarise_run
from robust_tuning.frontier.statistics import wilson
from robust_tuning.frontier.store import (
    Run,
    append_point,
    find_runs,
    read_points,
    replace_point,
    truncate_points,
)

__all__ = [
    "AttackIdentity",
    "Cost",
    "Estimate",
    "ExampleOutcomes",
    "FrontierPoint",
    "ParetoFrontier",
    "Run",
    "ShiftIdentity",
    "ShiftOutcomes",
    "append_point",
    "area_definition",
    "dominated_area",
    "find_runs",
    "pareto_mask",
    "read_points",
    "replace_point",
    "save_plot",
    "summarise_run",
    "truncate_points",
    "wilson",
]
