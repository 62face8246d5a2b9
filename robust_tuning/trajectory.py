"""Model states along a run: what was trained, to be put on the pretrained weights again."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from robust_tuning.backbones import BackboneConfig
from robust_tuning.errors import WeightsError
from robust_tuning.frontier.files import replace_file
from robust_tuning.plugins import from_spec
from robust_tuning.tuner import RobustTuner

_FORMAT = "robust-tuning-point-1"


def trajectory_path(folder: Path, step: int) -> Path:
    """Where a run folder keeps the state after `step` optimiser steps."""
    return folder / "trajectory" / f"step-{step:08d}.safetensors"


def save_point(tuner: RobustTuner, path: Path) -> None:
    """Write what the strategy trained, the head and the buffers, atomically.

    The file also holds how to build the model again and the hash of its pretrained weights.

    Args:
        tuner: The module, on any device; left untouched.
        path: A `.safetensors` file.
    """
    state = {
        name: tensor.detach().cpu().contiguous().clone()
        for name, tensor in tuner.backbone.trained_state().items()
    }
    description = {
        "backbone_sha256": tuner.backbone.identity.sha256,
        "specification": tuner.specification(),
    }
    # One entry, because several would be written in an order that changes from file to file.
    metadata = {_FORMAT: json.dumps(description)}
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda file: file.write(save(state, metadata)))


def load_point(path: Path, *, pretrained: str | None = None) -> RobustTuner:
    """Build the model of a stored point again; its logits are those of the point, to the bit.

    Args:
        path: A file that `save_point` wrote.
        pretrained: The weights file, where it has moved since.

    Raises:
        WeightsError: If the file is missing, cut off or of another kind, or if the pretrained
            weights here are not the ones the point was made from.
    """
    description, state = _read(path)
    specification = description["specification"]
    backbone = specification.pop("backbone")
    if pretrained is not None:
        backbone["pretrained"] = pretrained
    strategy, objective = (from_spec(specification.pop(key)) for key in ("strategy", "objective"))
    tuner = RobustTuner(
        backbone=BackboneConfig(**backbone),
        strategy=strategy,
        objective=objective,
        **specification,
    )
    tuner.backbone.identity.require(description["backbone_sha256"], str(path))
    needed = tuner.backbone.trained_state()
    if {name: t.shape for name, t in needed.items()} != {n: t.shape for n, t in state.items()}:
        message = f"{path} does not hold the tensors of {tuner.strategy} on {backbone['name']}"
        raise WeightsError(message)
    tuner.backbone.load_state_dict(state, strict=False)
    return tuner


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no dict
    except FileNotFoundError as error:
        message = f"there is no stored state {path}; was it kept (recorder.keep)?"
        raise WeightsError(message) from error
    except (SafetensorError, OSError) as error:
        message = f"{path} cannot be read ({error}): it is cut off or no safetensors file"
        raise WeightsError(message) from error
    if _FORMAT not in metadata:
        message = f"{path} is no stored point of a run: it has no entry {_FORMAT!r}"
        raise WeightsError(message)
    return json.loads(metadata[_FORMAT]), state
