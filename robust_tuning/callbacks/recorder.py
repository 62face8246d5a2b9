"""Where the points of a run go: its folder, and the loggers."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from json import dumps
from pathlib import Path
from typing import Any, Literal, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger

from robust_tuning import __version__
from robust_tuning.callbacks.measurement import Measurement, PointLogger, Rewinding
from robust_tuning.callbacks.points import (
    completes,
    frontier_steps,
    is_repetition,
    joined,
    sentence,
)
from robust_tuning.callbacks.progress import announce
from robust_tuning.data import BenchmarkDataModule
from robust_tuning.errors import ConfigurationError, RunError
from robust_tuning.frontier import (
    ExampleOutcomes,
    FrontierPoint,
    append_point,
    read_points,
    replace_point,
    truncate_points,
)
from robust_tuning.frontier.by_threat import areas
from robust_tuning.frontier.examples import PerturbedExamples, examples_path
from robust_tuning.frontier.files import remove_leftovers
from robust_tuning.frontier.outcomes import outcomes_path
from robust_tuning.plugins import spec_of
from robust_tuning.storage import storage_errors
from robust_tuning.trajectory import save_point, trajectory_path
from robust_tuning.tuner import RobustTuner
from robust_tuning.types import Split

log = logging.getLogger(__name__)

Keep = Literal["auto", "all", "frontier", "none"]


class FrontierRecorder(Callback):
    """Writes every evaluation into the run folder and to the loggers.

    Args:
        folder: The run folder; its name is the run's.
        keep: Which points' weights to keep in `trajectory/`: `all`, those on the `frontier` (of any
            threat), or `none`. `auto` keeps all where a strategy trains under a fifth of the model,
            and the frontier otherwise.

    Raises:
        ConfigurationError: If `keep` is unknown.
    """

    def __init__(self, *, folder: str = "runs/run", keep: Keep = "auto") -> None:
        if keep not in ("auto", "all", "frontier", "none"):
            message = f"recorder.keep is {keep!r}, expected auto, all, frontier or none"
            raise ConfigurationError(message)
        self.folder = folder
        self.keep = keep
        self._points: list[FrontierPoint] = []
        self._begun = False
        self._restored: tuple[int, int] | None = None

    @property
    def path(self) -> Path:
        """The run folder."""
        return Path(self.folder).expanduser()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make the folder, and say what the stored weights will take."""
        self._begun = False
        self._restored = None
        # The others of a job that was started on several nodes cannot know what the first chose.
        self.folder = trainer.strategy.broadcast(self.folder)
        self._points = stored_points(self.path)
        if not trainer.is_global_zero:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        tuner = cast("RobustTuner", pl_module)
        if stage == "fit" and self._keeps(tuner) != "none":
            size = sum(t.nbytes for t in tuner.backbone.trained_state().values())
            message = "each point kept in %s takes %.1f MB (keep: %s)"
            log.info(message, self.path / "trajectory", size / 1e6, self._keeps(tuner))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin, unless an evaluation before the first step has done so."""
        self.begin(trainer, cast("RobustTuner", pl_module))

    def begin(self, trainer: Trainer, tuner: RobustTuner) -> None:
        """Forget the points after the step that training continues from.

        Called by whichever callback comes first. The last point that stays is logged once more, as
        a kill may have come between its line and its logging.

        Raises:
            RunError: If training begins anew in a folder that holds a run.
        """
        if self._begun or not trainer.is_global_zero:
            return
        self._begun = True
        step = trainer.global_step
        if step == 0 and not trainer.ckpt_path and self._points:
            raise RunError(occupied(self.path))
        if any(point.step > step for point in self._points):
            truncate_points(self.path, step)
            self._points = [point for point in self._points if point.step <= step]
        self._prune(tuner)
        for folder in ("checkpoints", "trajectory", "outcomes", "examples"):
            remove_leftovers(self.path / folder)
        if trainer.ckpt_path:
            self._log_again(trainer, step)

    def _log_again(self, trainer: Trainer, step: int) -> None:
        last = self._points[-1] if self._points else None
        for logger in trainer.loggers:
            if isinstance(logger, Rewinding):
                logger.rewind(step, step + 1 if last is None else last.step)
        if last is not None:
            self._log(trainer, len(self._points) - 1, self._metrics(last, anew=True), {})

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Note the run's id at W&B, which a resumed job continues."""
        del pl_module
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                checkpoint["wandb_id"] = logger.version

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Note which step is evaluated: the trainer forgets it under `validate` and `test`."""
        del trainer, pl_module
        epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]
        self._restored = checkpoint["global_step"], epochs["processed"]

    def has(self, step: int, split: Split, kind: Callable[[FrontierPoint], bool]) -> bool:
        """Whether this run holds a point of that step, of some kind."""
        return any(p.step == step and p.split == split and kind(p) for p in self._points)

    def record(self, trainer: Trainer, tuner: RobustTuner, measurement: Measurement) -> None:
        """Store one evaluation: outcomes, weights, then its line, which makes it count.

        What is measured of a state on shifted images joins the point that was made by attacking
        it, and the other way round. The first process of a job writes; all have to call this.

        Raises:
            DataError: If the disk is full or the folder closed. The points before are untouched.
        """
        metrics: dict[str, float] = {}
        if trainer.is_global_zero:
            metrics = self._record(trainer, tuner, measurement)
        # What a checkpoint or early stopping may monitor, in every process.
        metrics = trainer.strategy.broadcast(metrics)
        trainer.callback_metrics.update({k: torch.tensor(v) for k, v in metrics.items()})

    def _record(
        self, trainer: Trainer, tuner: RobustTuner, measurement: Measurement
    ) -> dict[str, float]:
        """Store an evaluation and log it; what of it is new."""
        point = self._point(trainer, tuner, measurement)
        announce(sentence(point))
        if any(is_repetition(point, known) for known in self._points):
            return {}
        earlier = next((p for p in reversed(self._points) if completes(point, p)), None)
        # Of the step that the point has: the trainer forgets it under `validate` and `test`.
        examples = {t: replace(e, step=point.step) for t, e in measurement.examples.items()}
        with storage_errors(f"storing the point of step {point.step}", self.path):
            place = self._store(trainer, tuner, measurement, point, earlier)
            for threat, some in examples.items():
                some.write(examples_path(self.path, threat))
        metrics = self._metrics(point, anew=earlier is None or point.attack is not None)
        self._log(trainer, place, metrics, examples)
        return metrics

    def _store(
        self,
        trainer: Trainer,
        tuner: RobustTuner,
        measurement: Measurement,
        point: FrontierPoint,
        earlier: FrontierPoint | None,
    ) -> int:
        """Write a point, into the line of an earlier one where it completes that; its place."""
        path = outcomes_path(self.path, point.step, point.split)
        if earlier is None:
            measurement.outcomes.write(path)
            if trainer.state.fn == "fit" and self._keeps(tuner) != "none":
                save_point(tuner, trajectory_path(self.path, point.step))
            append_point(self.path, point)
            place = len(self._points)
            self._points.append(point)
        else:
            measurement.joined_to(ExampleOutcomes.read(path)).write(path)
            whole = joined(earlier, point)
            replace_point(self.path, earlier, whole)
            place = self._points.index(earlier)
            self._points[place] = whole
        self._prune(tuner)
        return place

    def _log(
        self,
        trainer: Trainer,
        place: int,
        metrics: Mapping[str, float],
        examples: Mapping[str, PerturbedExamples],
    ) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, PointLogger):
                logger.log_point(self._points, place, metrics, examples)
            else:
                logger.log_metrics(dict(metrics), step=self._points[place].step)

    def _point(
        self, trainer: Trainer, tuner: RobustTuner, measurement: Measurement
    ) -> FrontierPoint:
        data = cast("BenchmarkDataModule", trainer.datamodule)  # type: ignore[attr-defined]
        parameters = list(tuner.backbone.parameters())
        step, epoch = trainer.global_step, _epochs_done(trainer)
        if trainer.state.fn != "fit" and self._restored is not None:
            step, epoch = self._restored
        return FrontierPoint(
            run=self.path.resolve().name,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            code_version=__version__,
            config_hash=self._config_hash(tuner, data),
            benchmark=data.benchmark,
            backbone=str(tuner.backbone.identity),
            strategy=tuner.strategy.name,
            strategy_args=spec_of(tuner.strategy)["init_args"],
            objective=type(tuner.objective).__name__,
            seed=tuner.seed,
            split=measurement.split,
            step=step,
            epoch=epoch,
            trainable_parameters=sum(p.numel() for p in parameters if p.requires_grad),
            total_parameters=sum(p.numel() for p in parameters),
            accuracy=measurement.accuracy,
            robust_accuracy=measurement.robust_accuracy,
            ood_accuracy=measurement.ood_accuracy,
            attack=measurement.attack,
            cost=measurement.cost,
            diagnostics=measurement.diagnostics,
            shifts=measurement.shifts,
            calibration=measurement.calibration,
        )

    def _config_hash(self, tuner: RobustTuner, data: BenchmarkDataModule) -> str:
        file = self.path / "config.yaml"
        if file.is_file():
            text = file.read_bytes()
        else:
            text = dumps([tuner.specification(), spec_of(data)], sort_keys=True).encode()
        return sha256(text).hexdigest()[:16]

    def _keeps(self, tuner: RobustTuner) -> Keep:
        if self.keep != "auto":
            return self.keep
        trained = sum(tensor.numel() for tensor in tuner.backbone.trained_state().values())
        total = sum(parameter.numel() for parameter in tuner.backbone.parameters())
        return "all" if trained < total / 5 else "frontier"

    def _prune(self, tuner: RobustTuner) -> None:
        """Delete states of steps that have no point, or none worth keeping."""
        wanted = {point.step for point in self._points}
        if self._keeps(tuner) == "frontier":
            wanted = frontier_steps(self._points)
        kept = {trajectory_path(self.path, step) for step in wanted}
        for file in (self.path / "trajectory").glob("step-*.safetensors"):
            if file not in kept:
                file.unlink()

    def _metrics(self, point: FrontierPoint, *, anew: bool) -> dict[str, float]:
        """What was measured just now, with the accuracy if that is new, and the areas."""
        metrics = {"frontier/step": float(point.step)}
        if anew:
            metrics["frontier/accuracy"] = point.accuracy.value
        for kind in ("robust_accuracy", "ood_accuracy", "calibration"):
            for key, estimate in getattr(point, kind).items():
                metrics[f"frontier/{kind}/{key}"] = estimate.value
        metrics |= {f"frontier/ood_accuracy/{k}-mean": v for k, v in point.shift_means.items()}
        if point.robust_accuracy:
            by_threat = areas([known for known in self._points if known.split == point.split])
            metrics |= {f"frontier/area/{threat}": area for threat, area in by_threat.items()}
            metrics["frontier/area"] = sum(by_threat.values()) / len(by_threat)
        return metrics


def stored_points(folder: Path) -> list[FrontierPoint]:
    """The points of a run folder; none where it holds no run yet."""
    return read_points(folder) if (folder / "frontier.jsonl").exists() else []


def occupied(folder: Path) -> str:
    """Why nothing can begin in a folder that holds points."""
    return (
        f"{folder} holds a run already; continue it with --ckpt_path last, "
        "or give another name (--run)"
    )


def _epochs_done(trainer: Trainer) -> int:
    """Epochs whose last batch is behind; `trainer.current_epoch` counts one less at their ends."""
    progress: Any = trainer.fit_loop.epoch_progress.current
    return int(progress.processed)
