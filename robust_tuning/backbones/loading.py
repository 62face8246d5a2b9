"""Building a backbone: timm by name, weights from the package, a file, the cache or the network."""

import difflib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from timm.data import resolve_model_data_config
from timm.models import load_state_dict
from torch import nn

from robust_tuning.backbones.backbone import Backbone
from robust_tuning.backbones.config import BackboneConfig
from robust_tuning.backbones.hub import find_published_weights, local_weights
from robust_tuning.backbones.preprocessing import Normalize, Resize
from robust_tuning.backbones.weights import BackboneIdentity, hash_weights
from robust_tuning.errors import ConfigurationError, RobustTuningError, WeightsError

log = logging.getLogger(__name__)
_UNREADABLE = (
    RuntimeError,
    OSError,
    ValueError,
    KeyError,
    EOFError,
    UnpicklingError,
    SafetensorError,
)


def create_backbone(config: BackboneConfig, num_classes: int, *, seed: int = 0) -> Backbone:
    """Build a backbone with a new head.

    Args:
        config: The network, its weights and its input.
        num_classes: Width of the logits.
        seed: Decides every random weight (the head; all of them without pretrained weights). The
            global random state is left as found.

    Returns:
        The backbone in float32 on the CPU, every parameter trainable.

    Raises:
        ConfigurationError: If timm has no such model or refuses an argument.
        WeightsError: If the weights are missing, unreachable, corrupt or of another network.
    """
    try:
        overlay = _overlay(config)
        net = _create(config, num_classes, seed, overlay)
        if isinstance(config.pretrained, str):
            _check_all_loaded(net, config, num_classes, seed, overlay)
    except RobustTuningError:
        raise
    except _UNREADABLE as error:
        raise _explain(error, config) from error
    return _wrap(net, config)


def _overlay(config: BackboneConfig) -> dict[str, Any]:
    if isinstance(config.pretrained, str):
        return local_weights(str(_checked_file(config.pretrained)))
    return find_published_weights(config.name) if config.pretrained else {}


def _wrap(net: nn.Module, config: BackboneConfig) -> Backbone:
    settings = resolve_model_data_config(net)
    height, width = settings["input_size"][-2:]
    if config.image_size is not None:
        height = width = config.image_size
    mean, std = settings["mean"], settings["std"]
    log.info("%s: input %dx%d, mean %s, std %s", config.name, height, width, mean, std)
    head_names = _head_names(net)
    if not head_names:
        message = f"timm's configuration of {config.name!r} names no classifier layer to replace"
        raise ConfigurationError(message)
    return Backbone(
        net,
        head_names=head_names,
        normalize=Normalize(mean, std),
        resize=Resize((height, width), settings["interpolation"]),
        crop_fraction=float(settings["crop_pct"]),
        perturb=config.perturb,
        identity=BackboneIdentity(config.name, hash_weights(net, exclude=head_names)),
    )


def _head_names(net: nn.Module) -> tuple[str, ...]:
    pretrained_cfg: Any = net.pretrained_cfg
    classifier: str | tuple[str, ...] = pretrained_cfg.get("classifier") or ()
    return (classifier,) if isinstance(classifier, str) else tuple(classifier)


def _create(
    config: BackboneConfig, num_classes: int, seed: int, overlay: dict[str, Any]
) -> nn.Module:
    arguments = {"num_classes": num_classes, **config.kwargs}
    if config.image_size is not None:
        arguments["img_size"] = config.image_size
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        return _create_model(config.name, bool(config.pretrained), overlay, arguments).float()


def _create_model(
    name: str, pretrained: bool, overlay: dict[str, Any], arguments: dict[str, Any]
) -> nn.Module:
    try:
        with _quiet("file" in overlay):
            net: nn.Module = timm.create_model(
                name, pretrained, pretrained_cfg_overlay=overlay, **arguments
            )
            return net
    except TypeError as error:
        # Convolutional networks take any size and have no such argument.
        if "img_size" in str(error) and "img_size" in arguments:
            rest = {key: value for key, value in arguments.items() if key != "img_size"}
            return _create_model(name, pretrained, overlay, rest)
        message = f"timm's {name} does not take these arguments: {error}"
        raise ConfigurationError(message) from error


@contextmanager
def _quiet(enabled: bool) -> Iterator[None]:
    """Silence timm's list of unused keys: `_check_all_loaded` says what matters of it."""
    logger = logging.getLogger("timm.models._builder")
    level = logger.level
    logger.setLevel(logging.ERROR if enabled else level)
    try:
        yield
    finally:
        logger.setLevel(level)


def _explain(error: Exception, config: BackboneConfig) -> RobustTuningError:
    text = " ".join(str(error).split())[:300] or type(error).__name__
    if "Unknown model" in text or "Invalid pretrained tag" in text:
        name, _, tag = config.name.partition(".")
        known = (
            timm.list_pretrained(f"{name}.*") if tag and timm.is_model(name) else timm.list_models()
        )
        near = ", ".join(difflib.get_close_matches(config.name, known, n=5, cutoff=0.5))
        hint = f"; similar names: {near}" if near else ""
        message = f"backbone.name is {config.name!r}: {text}{hint} (all names: timm.list_models())"
        return ConfigurationError(message)
    if isinstance(config.pretrained, str):
        message = f"the weights in {config.pretrained} do not load into {config.name}: {text}"
        return WeightsError(message)
    message = f"{config.name} cannot be built: {text}"
    return WeightsError(message)


def _checked_file(path: str) -> Path:
    file = Path(path).expanduser()
    if not file.is_file():
        message = (
            f"backbone.pretrained is {path!r}, but there is no such file; "
            "expected true, false or the path of a .safetensors or .pth file"
        )
        raise WeightsError(message)
    return file


def _check_all_loaded(
    net: nn.Module, config: BackboneConfig, num_classes: int, seed: int, overlay: dict[str, Any]
) -> None:
    """Refuse a file that filled only part of the network.

    timm loads without strictness when the number of classes differs, so a file of another network
    would leave random weights behind in silence.
    """
    prefixes = tuple(f"{head}." for head in _head_names(net))
    names = {name for name, _ in net.named_parameters() if not name.startswith(prefixes)}
    found = set(load_state_dict(overlay["file"], weights_only=True))
    if names <= found:
        statistics = {n for n in net.state_dict() if n.endswith(("running_mean", "running_var"))}
        if statistics - found:
            message = (
                f"the weights in {config.pretrained} hold the parameters of {config.name}, but not "
                f"the statistics of its batch norms, such as {min(statistics - found)}"
            )
            raise WeightsError(message)
        return
    # The file's keys differ, which timm may well have translated: what it left unloaded is what
    # depends on the seed.
    other = dict(_create(config, num_classes, seed + 1, overlay).named_parameters())
    mine = dict(net.named_parameters())
    random = sorted(name for name in names if not torch.equal(mine[name], other[name]))
    if random:
        message = (
            f"the weights in {config.pretrained} are not those of {config.name}: "
            f"at least {len(random)} of its {len(names)} parameters are missing there, such as "
            f"{random[0]}"
        )
        raise WeightsError(message)
