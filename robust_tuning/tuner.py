"""Fine-tuning: a backbone, a strategy and an objective."""

import inspect
import logging
from dataclasses import asdict
from functools import cached_property
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.strategies import FSDPStrategy, ModelParallelStrategy
from lightning.pytorch.strategies import Strategy as LightningStrategy
from torch import Tensor, nn
from torch.optim import AdamW
from torchmetrics import Accuracy

from robust_tuning.backbones import Backbone, BackboneConfig, create_backbone
from robust_tuning.errors import ConfigurationError, WeightsError
from robust_tuning.lr_schedules import WarmupDecay
from robust_tuning.objectives import CrossEntropy, Objective
from robust_tuning.plugins import spec_of
from robust_tuning.strategies import Strategy
from robust_tuning.types import Batch

log = logging.getLogger(__name__)


class RobustTuner(LightningModule):
    """Adapts a pretrained classifier to a benchmark.

    Images come as pixels in [0, 1] and normalisation is the backbone's first layer, so that
    whoever evaluates this module works in pixel space.

    Training noise (dropout, stochastic depth, augmentation on the device) at a batch depends on the
    seed, the epoch and the batch alone: an interrupted run continues with the same noise, and
    what callbacks do in between cannot change it.

    What makes training faster (`compile`, `channels_last`, a trainer's mixed precision) concerns
    the training pass alone: whoever evaluates finds the plain network, with float32 weights.

    Args:
        num_classes: Classes of the benchmark.
        strategy: How the backbone is adapted.
        backbone: What is adapted.
        objective: What is minimised.
        lr: Learning rate.
        weight_decay: For all but biases and normalisation weights.
        optimizer: Makes the optimiser from parameter groups that carry `lr` and `weight_decay`.
        lr_scheduler: Makes the schedule from the optimiser, stepped after every optimiser step;
            None keeps the learning rate.
        compile: Compile the training pass (`torch.compile`).
        channels_last: Give the training pass images with the channels last in memory, which suits
            convolutions on a GPU.
        seed: Decides the new head, what the strategy draws, and the training noise.

    Raises:
        ConfigurationError: If the strategy cannot work on the backbone.
        WeightsError: If the pretrained weights cannot be had.
    """

    def __init__(
        self,
        num_classes: int,
        strategy: Strategy,
        backbone: BackboneConfig = BackboneConfig(),  # noqa: B008  frozen
        objective: Objective | None = None,
        lr: float = 5e-3,
        weight_decay: float = 0.0,
        optimizer: OptimizerCallable = AdamW,
        lr_scheduler: LRSchedulerCallable | None = None,
        compile: bool = False,
        channels_last: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.backbone_config = backbone
        self.strategy = strategy
        self.objective = CrossEntropy() if objective is None else objective
        self.lr = lr
        self.weight_decay = weight_decay
        self.seed = seed
        self._compiles = compile  # a module has a method of that name
        self.channels_last = channels_last
        self._make_optimizer = optimizer
        self._make_lr_scheduler = lr_scheduler
        self.backbone: Backbone = create_backbone(backbone, num_classes, seed=seed)
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            self.strategy.adapt(self.backbone)
        self.validation_accuracy = Accuracy("multiclass", num_classes=num_classes)
        self.test_accuracy = Accuracy("multiclass", num_classes=num_classes)

    def prepare(self, images: Tensor) -> Tensor:
        """Bring a loaded batch to where perturbations live; see `Backbone.prepare`."""
        return self.backbone.prepare(images)

    def forward(self, images: Tensor) -> Tensor:
        """Classify prepared images `(B, 3, H, W)` in [0, 1] to logits `(B, num_classes)`."""
        logits: Tensor = self.backbone(images)
        return logits

    def setup(self, stage: str) -> None:
        """Have an epoch that is over stay over when a run is resumed.

        Raises:
            ConfigurationError: If the trainer divides the weights among devices.
        """
        _require_whole(self.trainer.strategy)
        if stage == "fit":
            # Where `max_steps` is set, Lightning 2.6 would end it again, and skip an epoch's order.
            self.trainer.fit_loop._iteration_based_training = lambda: False  # type: ignore[method-assign]

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002  a hook
        """Seed the training noise of this batch."""
        place = (self.seed * 1_000_003 + self.current_epoch) * 1_000_003 + batch_idx
        torch.manual_seed((place * 65_537 + self.global_rank) % 2**63)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:  # noqa: ARG002  a hook
        """Compute the loss of a batch."""
        images = self.prepare(batch.images)
        if self.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        output = self.objective(self._trained, images, batch.labels)
        self.log("train/loss", output.loss, prog_bar=True)
        for name, value in output.parts.items():
            self.log(f"train/{name}", value)
        loss: Tensor = output.loss
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002  a hook
        """Count what is classified correctly."""
        self.validation_accuracy(self(self.prepare(batch.images)), batch.labels)
        self.log("validation/accuracy", self.validation_accuracy, prog_bar=True)

    def test_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002  a hook
        """Count what is classified correctly."""
        self.test_accuracy(self(self.prepare(batch.images)), batch.labels)
        self.log("test/accuracy", self.test_accuracy)

    def configure_optimizers(self) -> Any:  # noqa: ANN401  Lightning's union of many shapes
        """Build the optimiser over the strategy's groups, and its schedule."""
        groups = self.strategy.param_groups(self.backbone, self.lr, self.weight_decay)
        optimizer = self._make_optimizer(groups)
        self._refuse_ignored(optimizer)
        if self._make_lr_scheduler is None:
            return optimizer
        scheduler = self._make_lr_scheduler(optimizer)
        if isinstance(scheduler, WarmupDecay) and scheduler.total_steps is None:
            scheduler.end_at(int(self.trainer.estimated_stepping_batches))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def on_fit_start(self) -> None:
        """Say what trains, and what of it cannot learn."""
        parameters = dict(self.backbone.named_parameters())
        trained = sum(p.numel() for p in parameters.values() if p.requires_grad)
        total = sum(p.numel() for p in parameters.values())
        head = sum(p.numel() for _, p in self.backbone.head_parameters())
        message = "%s on %s trains %s of %s parameters (%.2f %%), %s of them in the head"
        share = 100 * trained / total
        shown = (f"{count:,}" for count in (trained, total))
        log.info(message, self.strategy, self.backbone.identity, *shown, share, f"{head:,}")
        reasons: dict[str, list[str]] = {}
        for name, reason in self.strategy.inert_parameters(self.backbone).items():
            reasons.setdefault(reason, []).append(name)
        for reason, names in reasons.items():
            message = "%d parameters train but cannot learn, such as %s: %s"
            log.info(message, len(names), names[0], reason)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write what rebuilds this module as plain values, and leave frozen weights out."""
        checkpoint["hyper_parameters"] = {
            **self.specification(),
            "_instantiator": "lightning.pytorch.cli.instantiate_module",
        }
        checkpoint["backbone_sha256"] = self.backbone.identity.sha256
        kept = {f"backbone.{name}" for name in self.backbone.trained_state()}
        checkpoint["state_dict"] = {
            name: tensor
            for name, tensor in checkpoint["state_dict"].items()
            if name in kept or not name.startswith("backbone.")
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the frozen weights back in; refuse other pretrained weights, or what does not fit.

        Raises:
            WeightsError: If the checkpoint was made from another backbone or another strategy.
        """
        self.backbone.identity.require(checkpoint.get("backbone_sha256", "none"), "the checkpoint")
        state = checkpoint.get("state_dict", {})
        trained = self.backbone.trained_state().items()
        needed = {(f"backbone.{name}", tensor.shape) for name, tensor in trained}
        found = {(name, t.shape) for name, t in state.items() if name.startswith("backbone.")}
        if needed != found:
            odd = sorted({name for name, _ in needed ^ found})
            message = (
                f"the checkpoint does not fit {self.strategy}: {len(odd)} tensors are missing, "
                f"surplus or of another shape, such as {odd[0]}; was it made with another strategy?"
            )
            raise WeightsError(message)
        checkpoint["state_dict"] = {**self.state_dict(), **state}

    @cached_property
    def _trained(self) -> nn.Module:
        """The backbone as the training pass sees it; not a part of this module a second time."""
        return cast("nn.Module", torch.compile(self.backbone)) if self._compiles else self.backbone

    def specification(self) -> dict[str, Any]:
        """Arguments that build this module again, optimiser apart, as plain values."""
        return {
            "num_classes": self.num_classes,
            "backbone": asdict(self.backbone_config),
            "strategy": spec_of(self.strategy),
            "objective": spec_of(self.objective),
            "lr": self.lr,
            "weight_decay": self.weight_decay,
            "seed": self.seed,
        }

    def _refuse_ignored(self, optimizer: torch.optim.Optimizer) -> None:
        """Refuse a rate given to the optimiser, which the parameter groups' own would override."""
        defaults = inspect.signature(type(optimizer)).parameters
        for name, used in (("lr", self.lr), ("weight_decay", self.weight_decay)):
            given = optimizer.defaults.get(name)
            if name in defaults and given not in (defaults[name].default, used):
                message = (
                    f"model.optimizer sets {name} to {given}, but model.{name} ({used}) decides; "
                    f"set model.{name} instead"
                )
                raise ConfigurationError(message)


def _require_whole(strategy: LightningStrategy) -> None:
    """Refuse what leaves no device with all weights.

    Attacks ask the model more often on one device than on another, and a point's weights are
    stored by one process: neither can be done with a part of them.
    """
    if isinstance(strategy, FSDPStrategy | ModelParallelStrategy):
        message = (
            f"trainer.strategy is {type(strategy).__name__}, which leaves each device a part of "
            "the weights, but evaluating and storing points need all of them: use ddp. Where "
            "training does not fit then, lower data.batch_size and set "
            "trainer.accumulate_grad_batches, or train less (--model.strategy LoRA)"
        )
        raise ConfigurationError(message)
