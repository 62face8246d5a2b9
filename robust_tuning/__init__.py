"""Fine-tune a pretrained vision model and know what it costs in robustness.

Public names are loaded on first use (PEP 562): importing the package loads no torch.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "RobustTuner": "robust_tuning.tuner",
    "BackboneConfig": "robust_tuning.backbones",
    "FullFineTuning": "robust_tuning.strategies",
    "LinearProbe": "robust_tuning.strategies",
    "BitFit": "robust_tuning.strategies",
    "LoRA": "robust_tuning.strategies",
    "IA3": "robust_tuning.strategies",
    "Adapter": "robust_tuning.strategies",
    "Compacter": "robust_tuning.strategies",
    "CIFAR10": "robust_tuning.data",
    "CIFAR100": "robust_tuning.data",
    "CUB200": "robust_tuning.data",
    "Caltech256": "robust_tuning.data",
    "DomainFolders": "robust_tuning.data",
    "DomainNet": "robust_tuning.data",
    "StanfordDogs": "robust_tuning.data",
    "Digits": "robust_tuning.data",
    "ImageArrays": "robust_tuning.data",
    "ImageFolder": "robust_tuning.data",
    "PGD": "robust_tuning.attacks",
    "APGD": "robust_tuning.attacks",
    "FGSM": "robust_tuning.attacks",
    "RandomNoise": "robust_tuning.attacks",
    "FAB": "robust_tuning.attacks",
    "FMN": "robust_tuning.attacks",
    "Square": "robust_tuning.attacks",
    "AutoAttack": "robust_tuning.attacks",
    "Cascade": "robust_tuning.attacks",
    "Triage": "robust_tuning.attacks",
    "evaluate": "robust_tuning.attacks",
    "Corruptions": "robust_tuning.shifts",
    "Domains": "robust_tuning.shifts",
    "StoredCorruptions": "robust_tuning.shifts",
    "CIFAR101": "robust_tuning.shifts",
    "STL10": "robust_tuning.shifts",
    "FolderShift": "robust_tuning.shifts",
    "OODEvaluation": "robust_tuning.callbacks",
    "AdversarialEvaluation": "robust_tuning.callbacks",
    "FrontierRecorder": "robust_tuning.callbacks",
    "Schedule": "robust_tuning.callbacks",
    "FrontierPoint": "robust_tuning.frontier",
    "ParetoFrontier": "robust_tuning.frontier",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:  # noqa: ANN401  PEP 562: whatever the name stands for
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
