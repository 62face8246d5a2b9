"""When and what to evaluate during training, and where the numbers go."""

from robust_tuning.callbacks.adversarial import AdversarialEvaluation
from robust_tuning.callbacks.evaluation import ScheduledEvaluation
from robust_tuning.callbacks.measurement import Measurement
from robust_tuning.callbacks.ood import OODEvaluation
from robust_tuning.callbacks.recorder import FrontierRecorder
from robust_tuning.callbacks.schedule import Schedule

__all__ = [
    "AdversarialEvaluation",
    "FrontierRecorder",
    "Measurement",
    "OODEvaluation",
    "Schedule",
    "ScheduledEvaluation",
]
