"""Out-of-distribution views of a benchmark."""

from robust_tuning.shifts.base import Shift, ShiftedSet, Transform
from robust_tuning.shifts.common_corruptions import Corruptions
from robust_tuning.shifts.domains import Domains
from robust_tuning.shifts.label_map import LabelMap

__all__ = ["Corruptions", "Domains", "LabelMap", "Shift", "ShiftedSet", "Transform"]
