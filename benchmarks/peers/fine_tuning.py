"""Models fine-tuned by this package, with what they were at several steps on the way."""

import logging
import os
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from robust_tuning.backbones import BackboneConfig
from robust_tuning.callbacks.evaluation import prepared
from robust_tuning.data import BenchmarkDataModule, Digits, ImageFolder
from robust_tuning.lr_schedules import CosineDecay
from robust_tuning.strategies import LinearProbe, LoRA
from robust_tuning.tuner import RobustTuner

FOLDER = Path(tempfile.gettempdir()) / "robust-tuning-benchmarks"
State = dict[str, Tensor]


@dataclass
class Course:
    """A run of fine-tuning.

    Attributes:
        title: Model and benchmark, for tables.
        tuner: The model.
        data: The benchmark.
        states: What was trained, by step.
    """

    title: str
    tuner: RobustTuner
    data: BenchmarkDataModule
    states: dict[int, State]

    def go_to(self, step: int) -> None:
        """Make the model what it was after so many steps."""
        self.tuner.backbone.load_state_dict(self.states[step], strict=False)
        self.tuner.eval()

    def some_steps(self, many: int) -> list[int]:
        """So many of the steps, evenly chosen, the last among them."""
        steps = sorted(self.states)
        chosen = torch.linspace(len(steps) - 1, 0, min(many, len(steps))).round().long()
        return sorted(steps[place] for place in chosen.tolist())

    def examples(self, n: int) -> tuple[Tensor, Tensor]:
        """Test images as attacks are given them `(n, C, H, W)`, and their labels."""
        loader = self.data.evaluation_loader(self.data.evaluation_examples("test", n))
        batches = list(prepared(self.tuner, loader))
        return torch.cat([b.images for b in batches]), torch.cat([b.labels for b in batches])

    @property
    def end(self) -> int:
        """The last step."""
        return max(self.states)


class _KeepStates(Callback):
    """Copies what is trained, at some steps."""

    def __init__(self, steps: Sequence[int]) -> None:
        self.steps = steps
        self.states: dict[int, State] = {}

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        *_: Any,  # noqa: ANN401  the batch
    ) -> None:
        if trainer.global_step in self.steps and isinstance(pl_module, RobustTuner):
            state = pl_module.backbone.trained_state()
            self.states[trainer.global_step] = {k: v.detach().clone() for k, v in state.items()}


def real_data() -> Path | None:
    """The folder with real images and weights, where there is one."""
    folder = os.environ.get("ROBUST_TUNING_REAL_DATA")
    return Path(folder) if folder else None


def quickstart() -> Course:
    """The shipped quickstart: the small vision transformer on handwritten digits, by LoRA."""
    tuner = RobustTuner(10, LoRA(), lr=3e-3, lr_scheduler=partial(CosineDecay, warmup_steps=10))
    steps = (3, 6, 12, 18, 25, 35, 50, 65, 80, 95)
    return _course("quickstart ViT, digits", tuner, Digits(batch_size=64), 5, steps)


def vit_tiny() -> Course:
    """A linear probe of ViT-Tiny/16 at 224 pixels on 20 bird species."""
    material = real_data()
    if material is None:
        sys.exit("ROBUST_TUNING_REAL_DATA is not set: vit_tiny needs its weights and images")
    root = FOLDER / "cub20hard"
    if not root.exists():
        with zipfile.ZipFile(material / "cub20hard.zip") as packed:
            packed.extractall(root)
    weights = str(material / "vit_tiny_patch16_224.in1k.fp16.safetensors")
    tuner = RobustTuner(
        20, LinearProbe(), BackboneConfig("vit_tiny_patch16_224", pretrained=weights), lr=5e-3
    )
    data = ImageFolder(str(root), batch_size=32, num_workers=0)
    data.match(tuner.backbone.image_input)
    steps = (5, 10, 17, 34, 51, 85)
    return _course("ViT-Tiny/16, 20 birds", tuner, data, 5, steps)


COURSES: dict[str, Callable[[], Course]] = {"quickstart": quickstart, "vit_tiny": vit_tiny}


def _course(
    title: str, tuner: RobustTuner, data: BenchmarkDataModule, epochs: int, steps: Sequence[int]
) -> Course:
    """Fine-tune, unless an earlier run has done so with the same settings and libraries."""
    FOLDER.mkdir(exist_ok=True)
    settings = f"{tuner.specification()}{epochs}{steps}{torch.__version__}"
    name = f"{data.benchmark}-{sha256(settings.encode()).hexdigest()[:12]}.pt"
    file = FOLDER / name
    if not file.exists():
        print(f"fine-tuning: {title}", file=sys.stderr)
        torch.save(_fit(tuner, data, epochs, steps), file)
    return Course(title, tuner, data, torch.load(file, weights_only=True))


def _fit(
    tuner: RobustTuner, data: BenchmarkDataModule, epochs: int, steps: Sequence[int]
) -> dict[int, State]:
    keeper = _KeepStates(steps)
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=epochs,
            logger=False,
            callbacks=[keeper],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            limit_val_batches=0,
            num_sanity_val_steps=0,
        )
        trainer.fit(tuner, data.train_dataloader())
    logging.disable(logging.NOTSET)
    return keeper.states
