"""Where curves go besides the run folder's points."""

from robust_tuning.loggers.metrics_file import MetricsFile
from robust_tuning.loggers.wandb import WandbSettings, make_wandb_logger

__all__ = ["MetricsFile", "WandbSettings", "make_wandb_logger"]
