"""Where curves go besides the run folder's points."""

from robust_tuning.loggers.metrics_file import MetricsFile
from robust_tuning.loggers.wandb import WandbSettings, make_wandb_logger
from robust_tuning.loggers.wandb_logger import RunLogger

__all__ = ["MetricsFile", "RunLogger", "WandbSettings", "make_wandb_logger"]
