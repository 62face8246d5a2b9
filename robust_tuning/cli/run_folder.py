"""Choosing a run's folder, and finding where it left off."""

from itertools import count
from pathlib import Path

from robust_tuning.callbacks.checkpoint_files import read_checkpoint
from robust_tuning.errors import ConfigurationError


def free_folder(root: Path, name: str) -> Path:
    """Make the first of `name`, `name-2`, `name-3`... below `root` that does not exist.

    Of several runs that begin at once, as agents of a sweep do, each gets its own.
    """
    folder, number = root / name, 1
    while True:
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
            folder = root / f"{name}-{number}"
        else:
            return folder


def latest_folder(root: Path, name: str) -> Path:
    """The last of `name`, `name-2`... below `root` that exists; `name` where none does."""
    folder = root / name
    for number in count(2):
        following = root / f"{name}-{number}"
        if not following.exists():
            return folder
        folder = following
    return folder


def resolve_checkpoint(ckpt_path: str | None, folder: Path) -> str | None:
    """What to continue from.

    Args:
        ckpt_path: A file; `last` or `best` for the run's own; None to begin.
        folder: The run folder.

    Returns:
        The file; None where the run has no checkpoint yet.

    Raises:
        ConfigurationError: If a named file does not exist, or a run has no `best`.
    """
    if ckpt_path is None:
        return None
    checkpoints = folder / "checkpoints"
    if ckpt_path == "last":
        last = checkpoints / "last.ckpt"
        return str(last) if last.is_file() else None
    if ckpt_path == "best":
        best = checkpoints / "best.ckpt"
        if not best.is_file():
            message = f"--ckpt_path best: there is no {best}"
            raise ConfigurationError(message)
        return str(best)
    if not Path(ckpt_path).is_file():
        message = f"--ckpt_path {ckpt_path}: no such file; give a .ckpt file, `last` or `best`"
        raise ConfigurationError(message)
    return ckpt_path


def stored_wandb_id(checkpoint: str | None, folder: Path) -> str | None:
    """The W&B run to continue: that of a checkpoint, or that which a run without one has begun.

    Args:
        checkpoint: What the run is continued from; None where it begins.
        folder: The run folder.

    Raises:
        WeightsError: If the checkpoint cannot be read without executing code, or at all.
    """
    content = read_checkpoint(checkpoint, mmap=True) if checkpoint else {}
    if wandb_id := content.get("wandb_id"):
        return str(wandb_id)
    # W&B calls its folders [offline-]run-DATE_TIME-ID.
    names = sorted(f.name.partition("run-")[2] for f in (folder / "wandb").glob("*run-*-*"))
    return names[-1].partition("-")[2] if names else None
