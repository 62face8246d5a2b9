"""Weights & Biases: offline by default, points on their own axis, one run across resumes."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from robust_tuning.loggers.wandb_logger import RunLogger, complaint

if TYPE_CHECKING:
    from wandb import Settings

log = logging.getLogger(__name__)

# Seconds, after which what is left to upload is left to `wandb sync`.
_PATIENCE = 600.0


@dataclass(frozen=True)
class WandbSettings:
    """How to log to Weights & Biases.

    Args:
        mode: `offline` writes into the run folder and asks for no account (`wandb sync` uploads it
            later), `online` uploads as it goes, `disabled` logs nothing. `auto` is what the
            environment variable WANDB_MODE says, `online` within a sweep agent, and otherwise
            `offline`.
        project: The project's name.
        entity: The user or team; None takes the account's own.
    """

    mode: Literal["auto", "online", "offline", "disabled"] = "auto"
    project: str = "robust-tuning"
    entity: str | None = None

    @property
    def resolved_mode(self) -> str:
        """One of `online`, `offline` and `disabled`."""
        if self.mode != "auto":
            return self.mode
        if os.environ.get("WANDB_MODE") in ("online", "offline", "disabled"):
            return os.environ["WANDB_MODE"]
        return "online" if os.environ.get("WANDB_SWEEP_ID") else "offline"


def make_wandb_logger(
    settings: WandbSettings, folder: Path, *, run_id: str | None, config: dict[str, Any]
) -> RunLogger | None:
    """Build the logger of a run.

    Args:
        settings: Where to.
        folder: The run folder, in which W&B keeps its files.
        run_id: Id of the run to continue; None begins one.
        config: The resolved configuration, as plain values.

    Returns:
        The logger, offline where its server cannot be reached; None where W&B is disabled or cannot
        begin even offline.
    """
    mode = settings.resolved_mode
    if mode == "disabled":
        return None
    os.environ.setdefault("WANDB_SILENT", "true")  # its banners would break the progress bars
    folder.mkdir(parents=True, exist_ok=True)
    # Inside an agent the agent chooses the id.
    chosen = run_id or os.environ.get("WANDB_RUN_ID")
    for offline in (True,) if mode == "offline" else (False, True):
        try:
            logger = RunLogger(
                name=folder.name,
                save_dir=str(folder),
                id=chosen,
                resume="allow",
                offline=offline,
                mode="offline" if offline else "online",  # its own settings may be read already
                project=settings.project,
                entity=settings.entity,
                config=config,
                settings=_patience(),
            )
            logger.define_axes()
        except Exception as error:  # no account, no network, a full disk: none is the training's
            log.warning("%s", complaint(error, folder))
        else:
            return logger
    return None


def _patience() -> "Settings":
    """How long a server that has fallen silent may keep a run from ending."""
    import wandb

    # Of a later version than the oldest that works.
    known = "finish_timeout" in wandb.Settings.model_fields
    return wandb.Settings(**({"finish_timeout": _PATIENCE} if known else {}))
