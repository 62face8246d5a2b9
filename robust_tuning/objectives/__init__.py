"""What fine-tuning minimises."""

from robust_tuning.objectives.base import LossOutput, Objective
from robust_tuning.objectives.cross_entropy import CrossEntropy

__all__ = ["CrossEntropy", "LossOutput", "Objective"]
