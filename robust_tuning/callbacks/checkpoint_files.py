"""How checkpoints reach the disk, and come back from it."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO, TorchCheckpointIO

from robust_tuning.errors import WeightsError
from robust_tuning.frontier.files import replace_file
from robust_tuning.storage import storage_errors


class CheckpointFiles(TorchCheckpointIO):
    """Writes a checkpoint beside the one before, flushes it and renames it; reads without trust.

    Lightning's own writes to the folder for temporary files, from where a move to another disk is
    a copy that a kill cuts off, and flushes nothing. Before Lightning 2.6 it also runs what a
    checkpoint says on loading.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any | None = None,  # noqa: ANN401  Lightning's signature
    ) -> None:
        """Replace the file in one piece.

        Raises:
            DataError: If the disk is full or the folder closed; the file before is then as it was.
        """
        del storage_options
        path = Path(path)
        # In memory first: half of an archive on a full disk would hide the disk's own error.
        buffer = BytesIO()
        torch.save(checkpoint, buffer)
        with storage_errors("saving a checkpoint", path.parent):
            replace_file(path, lambda file: file.write(buffer.getbuffer()))

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | None = lambda storage, _: storage,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read plain values and tensors.

        Args:
            path: The file.
            map_location: Where the tensors go.
            weights_only: Not heeded: nothing else is ever read.

        Raises:
            WeightsError: If the file is missing or cut off, or would run code.
        """
        del weights_only
        return read_checkpoint(path, map_location)


def with_safe_checkpoints(plugins: object) -> list[Any]:
    """A trainer's plugins as a list, with `CheckpointFiles` unless there is another of its kind."""
    listed = list(plugins) if isinstance(plugins, list | tuple) else [plugins]
    kept = [plugin for plugin in listed if plugin is not None]
    if any(isinstance(plugin, CheckpointIO) for plugin in kept):
        return kept
    return [*kept, CheckpointFiles()]


def read_checkpoint(
    path: str | Path,
    map_location: Callable[..., Any] | str | None = "cpu",
    *,
    mmap: bool = False,
) -> dict[str, Any]:
    """Read a checkpoint without running anything that it says.

    Args:
        path: The file.
        map_location: Where the tensors go.
        mmap: Read tensors when they are used.

    Raises:
        WeightsError: If the file is missing or cut off, or would run code.
    """
    try:
        content = torch.load(path, map_location=map_location, weights_only=True, mmap=mmap)
    except Exception as error:  # damaged files raise anything
        message = f"the checkpoint {path} cannot be read: {' '.join(str(error).split())[:200]}"
        raise WeightsError(message) from error
    if not isinstance(content, dict):
        message = f"the checkpoint {path} holds a {type(content).__name__}, expected a dictionary"
        raise WeightsError(message)
    return content
