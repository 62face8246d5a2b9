"""Model states along a run: what was trained, to be put on the pretrained weights again."""

import inspect
import json
from importlib import import_module
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
        WeightsError: If the file is missing, cut off or of another kind, if it names a class
            that is no plugin, or if the pretrained weights here are not the ones it was made from.
    """
    description, state = _read(path)
    try:
        specification, sha256 = description["specification"], description["backbone_sha256"]
        backbone = specification["backbone"]
        if pretrained is not None:
            backbone["pretrained"] = pretrained
        tuner = _build(specification)
    except (KeyError, TypeError, ValueError) as error:
        message = f"{path} describes a model that cannot be built here: {error}"
        raise WeightsError(message) from error
    tuner.backbone.identity.require(sha256, str(path))
    needed = tuner.backbone.trained_state()
    if {name: t.shape for name, t in needed.items()} != {n: t.shape for n, t in state.items()}:
        message = f"{path} does not hold the tensors of {tuner.strategy} on {backbone['name']}"
        raise WeightsError(message)
    tuner.backbone.load_state_dict(state, strict=False)
    return tuner


def _build(specification: dict[str, Any]) -> RobustTuner:
    plugins = ("strategy", "objective")
    for key in plugins:
        _require_plugins(specification[key])
    return RobustTuner(
        backbone=BackboneConfig(**specification["backbone"]),
        **{key: from_spec(specification[key]) for key in plugins},
        **{k: v for k, v in specification.items() if k not in ("backbone", *plugins)},
    )


def _require_plugins(value: object) -> None:
    """Refuse what does not derive from a class of ours: a file must not choose what is called."""
    if isinstance(value, dict) and "class_path" in value:
        module, _, name = str(value["class_path"]).rpartition(".")
        try:
            bases = inspect.getmro(getattr(import_module(module), name))
        except (ImportError, AttributeError, ValueError):
            bases = ()
        if not any(base.__module__.startswith("robust_tuning.") for base in bases):
            message = f"a stored point names {value['class_path']}, which is no plugin here"
            raise WeightsError(message)
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _require_plugins(item)


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
