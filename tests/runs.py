"""Short runs on the embedded digits, for tests of everything that needs a trainer."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer, seed_everything

from robust_tuning.attacks import PGD
from robust_tuning.backbones import BackboneConfig
from robust_tuning.callbacks import AdversarialEvaluation, FrontierRecorder, Schedule
from robust_tuning.data import Digits
from robust_tuning.strategies import BitFit, Strategy
from robust_tuning.tuner import RobustTuner

TINY = BackboneConfig("glyph_vit_patch8_32", kwargs={"depth": 1}, pretrained=False)


def make_tuner(strategy: Strategy | None = None, **settings: Any) -> RobustTuner:
    """A one-block network with ten classes."""
    settings = {"backbone": TINY, "lr": 5e-3, **settings}
    return RobustTuner(10, strategy or BitFit(), **settings)


def make_evaluation(**settings: Any) -> AdversarialEvaluation:
    """Two radii on 20 examples, before the first step and at the end of every epoch."""
    settings = {
        "attack": PGD(steps=5),
        "eps": ["2/255", "8/255"],
        "n": 20,
        "examples": 0,
        "schedule": Schedule("epoch"),
        **settings,
    }
    return AdversarialEvaluation(**settings)


def make_data(**settings: Any) -> Digits:
    """96 training examples in batches of 32: three steps an epoch."""
    return Digits(**{"train_limit": 96, "batch_size": 32, **settings})


def make_trainer(folder: Path, *callbacks: Callback, **settings: Any) -> Trainer:
    """A quiet trainer on the CPU that records into `folder`."""
    seed_everything(0, verbose=False)
    recorders = [c for c in callbacks if isinstance(c, FrontierRecorder)]
    return Trainer(
        **{
            "default_root_dir": folder,
            "accelerator": "cpu",
            "logger": False,
            "callbacks": [
                *callbacks,
                *([] if recorders else [FrontierRecorder(folder=str(folder))]),
            ],
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "enable_checkpointing": False,
            "max_epochs": 1,
            **settings,
        }
    )
