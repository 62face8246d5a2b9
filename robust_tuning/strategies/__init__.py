"""Ways of adapting a pretrained backbone."""

from robust_tuning.strategies.adapter import Adapter
from robust_tuning.strategies.base import Strategy
from robust_tuning.strategies.bitfit import BitFit
from robust_tuning.strategies.compacter import Compacter
from robust_tuning.strategies.full_fine_tuning import FullFineTuning
from robust_tuning.strategies.ia3 import IA3
from robust_tuning.strategies.linear_probe import LinearProbe
from robust_tuning.strategies.lora import LoRA

__all__ = [
    "IA3",
    "Adapter",
    "BitFit",
    "Compacter",
    "FullFineTuning",
    "LinearProbe",
    "LoRA",
    "Strategy",
]
