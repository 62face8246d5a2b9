"""What is counted and estimated of a model's answers."""

from robust_tuning.metrics.accuracy import misclassified
from robust_tuning.metrics.calibration import CalibrationError, calibration_error

__all__ = ["CalibrationError", "calibration_error", "misclassified"]
