"""Published weights without waiting for a network that is not there.

The hub's client retries for most of a minute before it gives up, and reads its offline switch only
when it is imported. So the cache is looked up first, and the network is asked once, briefly.
"""

import threading
import urllib.error
import urllib.request
from typing import Any

import timm
from huggingface_hub import constants, try_to_load_from_cache

from robust_tuning.errors import ConfigurationError, WeightsError

_SECONDS = 5.0
_FILES = ("model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin")


def find_published_weights(name: str) -> dict[str, Any]:
    """Where timm should take the published weights of a model from.

    Args:
        name: A timm name, `hf-hub:ORG/NAME` or `local-dir:FOLDER`.

    Returns:
        An overlay for timm's pretrained configuration: a cached file, or nothing where timm itself
        knows the way.

    Raises:
        ConfigurationError: If timm knows no such model, or publishes no weights for it.
        WeightsError: If the weights are not cached and cannot be fetched; within seconds.
    """
    if name.startswith("local-dir:"):
        return {}
    if name.startswith(("hf-hub:", "hf_hub:")):
        repository = name.split(":", 1)[1].split("@")[0]
        if not (_cached(repository, "config.json") and any(_cached(repository, f) for f in _FILES)):
            _require_network(constants.ENDPOINT, name)
        return {}
    return _from_registry(name)


def local_weights(path: str) -> dict[str, Any]:
    """An overlay for timm's pretrained configuration: weights from a file of one's own.

    Models that were first published as JAX arrays (`.npz`) are marked for a reader of those, which
    timm before 1.0.31 turned to whatever the file was.
    """
    return {"file": path, "custom_load": False}


def _from_registry(name: str) -> dict[str, Any]:
    config = timm.get_pretrained_cfg(name)
    if config is None or not timm.is_model(name.split(".")[0]):
        return {}  # timm's own error names the unknown model
    if config.file or config.state_dict:
        return {}
    if not config.has_weights:
        message = (
            f"timm publishes no weights for {name!r}; set backbone.pretrained to false or to the "
            "path of a local file"
        )
        raise ConfigurationError(message)
    if config.hf_hub_id:
        for file in (config.hf_hub_filename, *_FILES):
            cached = _cached(config.hf_hub_id, file) if file else None
            if cached:
                return local_weights(cached)
        _require_network(constants.ENDPOINT, name)
    elif config.url:
        _require_network(config.url, name)
    return {}


def _cached(repository: str, file: str) -> str | None:
    found = try_to_load_from_cache(repository, file)
    return found if isinstance(found, str) else None  # a third answer: known not to exist


def _require_network(url: str, name: str) -> None:
    answers: list[bool] = []
    # A daemon thread, because looking up a host name has no time limit and must not delay the exit.
    probe = threading.Thread(target=lambda: answers.append(_answers(url)), daemon=True)
    if not constants.HF_HUB_OFFLINE:
        probe.start()
        probe.join(_SECONDS)
    if not any(answers):
        host = url.split("/")[2]
        message = (
            f"the pretrained weights of {name!r} are not cached and {host} cannot be reached; "
            "give a local file: --model.backbone.pretrained /path/to/model.safetensors (download "
            "it where there is a network, see https://huggingface.co/timm), or false for random "
            "weights"
        )
        raise WeightsError(message)


def _answers(url: str) -> bool:
    request = urllib.request.Request(url, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=_SECONDS).close()
    except urllib.error.HTTPError:
        return True  # it answered, if only to refuse a HEAD
    except OSError:
        return False
    return True
