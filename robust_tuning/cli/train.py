"""`robust-tuning fit|validate|test`: LightningCLI with our room, run folder and manners."""

import json
import logging
import os
import sys
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities import rank_zero_only

from robust_tuning.callbacks import AdversarialEvaluation, FrontierRecorder, OODEvaluation
from robust_tuning.callbacks.checkpoint import LastCheckpoint
from robust_tuning.callbacks.checkpoint_files import with_safe_checkpoints
from robust_tuning.callbacks.divergence import StopAtDivergence
from robust_tuning.callbacks.interruption import SaveOnInterrupt
from robust_tuning.callbacks.progress import TrainingProgressBar, announce
from robust_tuning.callbacks.recorder import occupied, stored_points
from robust_tuning.callbacks.slurm import job_id, was_requeued
from robust_tuning.cli.parsing import OneLineParser, explain_instantiation, with_shipped_configs
from robust_tuning.cli.run_folder import (
    free_folder,
    latest_folder,
    resolve_checkpoint,
    stored_wandb_id,
)
from robust_tuning.data import BenchmarkDataModule
from robust_tuning.errors import ConfigurationError, RobustTuningError, RunError
from robust_tuning.frontier import summarise_run, truncate_points
from robust_tuning.frontier.files import replace_file
from robust_tuning.loggers import MetricsFile, WandbSettings, make_wandb_logger
from robust_tuning.tuner import RobustTuner

_FOLDER = "ROBUST_TUNING_RUN_FOLDER"

Parsed = TypeVar("Parsed", bound="TrainingCLI")


def main(words: list[str]) -> int:
    """Run a verb.

    Args:
        words: The verb and its options.

    Returns:
        0 done, 130 interrupted after saving.

    Raises:
        ConfigurationError: If an option is wrong.
    """
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    logging.getLogger("robust_tuning").setLevel(logging.INFO if _first() else logging.ERROR)
    quiet_libraries()
    try:
        cli = run_cli(words, TrainingCLI)
    except SystemExit as stop:
        # Lightning ends the process itself after an interrupt, once everything is saved.
        if isinstance(stop.__context__, KeyboardInterrupt):
            return 130
        raise
    except RobustTuningError:
        raise
    except ValueError as error:
        # What a class raised while it was built arrives wrapped in jsonargparse's own words.
        if not _was_instantiating(error) or isinstance(error.__cause__, AttributeError):
            raise  # a bug, whose place the traceback tells
        raise ConfigurationError(explain_instantiation(error)) from error
    finally:
        os.environ.pop(_FOLDER, None)  # of this run, not of the next that is begun from here
    cli.conclude()
    return 0


def run_cli(words: list[str], kind: type[Parsed]) -> Parsed:
    """Parse a verb and its options, and do what that kind of command line does.

    Raises:
        ConfigurationError: If an option is wrong.
    """
    return kind(
        RobustTuner,
        BenchmarkDataModule,
        subclass_mode_data=True,
        seed_everything_default=0,
        auto_configure_optimizers=False,
        save_config_callback=None,
        parser_kwargs={"prog": "robust-tuning"},
        parser_class=OneLineParser,
        trainer_defaults={
            "use_distributed_sampler": False,
            "num_sanity_val_steps": 0,
            "enable_model_summary": False,
        },
        args=with_shipped_configs(words),
    )


class TrainingCLI(LightningCLI):
    """Adds the evaluation, the recorder and the run folder to Lightning's command line."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Name the verbs, and their arguments that no command line can give."""
        verbs = LightningCLI.subcommands()
        return {verb: verbs[verb] for verb in ("fit", "validate", "test")}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add our options."""
        parser.add_argument(
            "--run",
            type=str | None,
            default=None,
            help="Folder of the run (default: runs/BENCHMARK-STRATEGY-seedN, numbered when taken; "
            "in a job of SLURM runs/BENCHMARK-STRATEGY-seedN-jobID)",
        )
        parser.add_argument(
            "--wandb", type=WandbSettings, default=WandbSettings(), help="Weights & Biases"
        )
        parser.add_lightning_class_args(SaveOnInterrupt, "interrupt")
        parser.add_lightning_class_args(FrontierRecorder, "recorder")
        parser.add_lightning_class_args(AdversarialEvaluation, "adversarial")
        parser.add_lightning_class_args(OODEvaluation, "ood")
        parser.add_lightning_class_args(LastCheckpoint, "checkpoint")
        parser.add_lightning_class_args(ModelCheckpoint, "best")
        parser.set_defaults(
            {
                "best.monitor": "validation/accuracy",
                "best.mode": "max",
                "best.filename": "best",
                # One name, even where a kill has left a file of that name.
                "best.enable_version_counter": False,
                # With the validation pass: an interruption may leave out what comes after it.
                "best.save_on_train_epoch_end": False,
                # Written out, so that a run's configuration says what measured it.
                "adversarial.attack": {"class_path": "PGD"},
                "model.objective": {"class_path": "CrossEntropy"},
            }
        )
        parser.link_arguments("run", "recorder.folder", compute_fn=lambda run: run or "runs/run")
        for key in ("checkpoint.dirpath", "best.dirpath", "interrupt.folder"):
            parser.link_arguments("run", key, compute_fn=lambda run: f"{run}/checkpoints")
        parser.link_arguments("data.num_classes", "model.num_classes", apply_on="instantiate")
        parser.link_arguments("seed_everything", "model.seed", compute_fn=_seed)
        parser.link_arguments(
            ("seed_everything", "data"), "data.init_args.seed", compute_fn=_data_seed
        )

    def before_instantiate_classes(self) -> None:
        """Settle the run folder and what to continue from.

        Raises:
            ConfigurationError: If there is no checkpoint to evaluate.
            RunError: If a run would begin where there is one already.
        """
        config = self.config[self.subcommand]
        if self.subcommand == "fit" and config.ckpt_path is None and was_requeued():
            config.ckpt_path = "last"
        resuming = config.ckpt_path is not None
        # Lightning starts the other processes of a job by the same command; they inherit the name.
        inherited = os.environ.get(_FOLDER) if "LOCAL_RANK" in os.environ else None
        self.folder = Path(config.run or inherited or self._default_folder(resuming))
        os.environ[_FOLDER] = str(self.folder)
        config.ckpt_path = resolve_checkpoint(config.ckpt_path, self.folder)
        self.begins_anew = resuming and config.ckpt_path is None
        if config.ckpt_path is None and self.subcommand != "fit":
            message = (
                f"robust-tuning {self.subcommand} needs the model to evaluate: --ckpt_path FILE, "
                f"or --ckpt_path last with --run FOLDER (no checkpoint in {self.folder})"
            )
            raise ConfigurationError(message)
        if self.begins_anew:
            announce(f"no checkpoint in {self.folder} yet: beginning")
        elif config.ckpt_path is None and _first() and stored_points(self.folder):
            raise RunError(occupied(self.folder))
        config.run = str(self.folder)
        config.recorder.folder = str(self.folder)
        checkpoints = str(self.folder / "checkpoints")
        config.checkpoint.dirpath = config.best.dirpath = config.interrupt.folder = checkpoints
        config.trainer.default_root_dir = str(self.folder)

    def _default_folder(self, resuming: bool) -> Path:
        config = self.config[self.subcommand]
        benchmark, strategy = (
            spec.class_path.rpartition(".")[2].lower()
            for spec in (config.data, config.model.strategy)
        )
        name = f"{benchmark}-{strategy}-seed{_seed(config.seed_everything)}"
        if job := job_id():  # by which a requeued job finds its run again
            name = f"{name}-job{job}"
        # Only the first of several processes begins a run; the others write nothing.
        begins = self.subcommand == "fit" and not resuming and _first()
        return (free_folder if begins else latest_folder)(Path("runs"), name)

    def instantiate_classes(self) -> None:
        """Build everything; what cannot be built leaves no empty folder behind."""
        try:
            super().instantiate_classes()
        except BaseException:
            with suppress(OSError):  # not there, or not empty
                self.folder.rmdir()
            raise

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:  # noqa: ANN401  Lightning's signature
        """Build the trainer with our loggers and progress bar, unless the configuration says so."""
        # Before anything is written: what fails for lack of files leaves no run behind.
        self.datamodule.prepare_data()
        config = self.config[self.subcommand]
        settings = self._get(self.config_init, "trainer", default={})
        if settings.get("logger") in (None, True):
            run_id = stored_wandb_id(config.ckpt_path, self.folder)
            wandb = make_wandb_logger(
                self._get(self.config_init, "wandb"),
                self.folder,
                run_id=run_id,
                config=json.loads(self.resolved("json")),
            )
            kwargs["logger"] = [MetricsFile(self.folder), *([wandb] if wandb else [])]
        shown = settings.get("enable_progress_bar") is not False
        self._get(self.config_init, "trainer")["callbacks"] = [
            *(settings.get("callbacks") or []),
            StopAtDivergence(),
            *([TrainingProgressBar()] if shown else []),
        ]
        settings["plugins"] = with_safe_checkpoints(settings.get("plugins"))
        return super().instantiate_trainer(**kwargs)

    def before_fit(self) -> None:
        """Write the resolved configuration into the run folder."""
        if self.trainer.is_global_zero:
            if self.begins_anew:  # what was measured before a first checkpoint is measured again
                truncate_points(self.folder, -1)
                MetricsFile(self.folder).rewind(0, 0)
            text = self.resolved().encode()
            replace_file(self.folder / "config.yaml", lambda file: file.write(text))

    def resolved(self, kind: str = "yaml") -> str:
        """The configuration with every default written out, as `--config` takes it."""
        parser, config = self._parser(self.subcommand), self.config[self.subcommand]
        text: str = parser.dump(config, format=kind, skip_none=False)
        return text

    def conclude(self) -> None:
        """Print what the run found."""
        if self.trainer.is_global_zero and (self.folder / "frontier.jsonl").exists():
            announce_summary(self.folder)


def announce_summary(folder: Path) -> None:
    """Print the frontier of a run, its areas and where the plot is."""
    from rich import get_console

    get_console().print(summarise_run(folder))


def _first() -> bool:
    """Whether this is the process of a job that writes; the others ask it for the folder later."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)


def _seed(value: bool | int) -> int:
    return int(value)


def _data_seed(value: bool | int, data: Namespace | None) -> int:
    given = None if data is None else data.get("init_args.seed")
    if given not in (None, 0, int(value)):  # a linked value is replaced without a word
        message = f"data.seed is {given}, but seed_everything ({value}) decides; set that instead"
        raise ConfigurationError(message)
    return int(value)


def _was_instantiating(error: BaseException) -> bool:
    """Whether an error came from building the classes, not from the run itself."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_name == "instantiate_classes" for frame, _ in frames)


def quiet_libraries() -> None:
    """Silence advice of libraries that is no concern of whoever runs the command."""
    for name in (
        "lightning.pytorch.utilities.rank_zero",
        "lightning.pytorch",
        "lightning.fabric",
        "timm",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
    if not sys.warnoptions:
        warnings.filterwarnings("ignore", module=r"lightning\.")
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")
        # Of DDP about Compacter's factors, whose axis of length one may have any stride.
        warnings.filterwarnings("ignore", message="Grad strides do not match")
