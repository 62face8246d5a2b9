"""Ways of adapting a pretrained backbone."""

from robust_tuning.strategies.base import Strategy
from robust_tuning.strategies.bitfit import BitFit
from robust_tuning.strategies.full_fine_tuning import FullFineTuning
from robust_tuning.strategies.linear_probe import LinearProbe

__all__ = ["BitFit", "FullFineTuning", "LinearProbe", "Strategy"]
