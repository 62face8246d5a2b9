"""The common corruptions of Hendrycks and Dietterich, computed on the fly."""

from robust_tuning.shifts.corruptions.corruption import Corruption
from robust_tuning.shifts.corruptions.tables import EXTRA, STANDARD, Table

__all__ = ["EXTRA", "STANDARD", "Corruption", "Table"]
