import socket
import time
from pathlib import Path

import pytest
import timm
from huggingface_hub import constants
from safetensors.torch import save_file

from robust_tuning.backbones import BackboneConfig, create_backbone, hub
from robust_tuning.errors import ConfigurationError, WeightsError

NAME = "test_vit.r160_in1k"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Sockets that refuse; the list holds what was tried."""
    tried: list[object] = []

    def refuse(*arguments: object, **_: object) -> None:
        tried.append(arguments)
        message = "Network is unreachable"
        raise OSError(message)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    return tried


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's client."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def put(cache: Path, repository: str, name: str) -> Path:
    """A file in the cache, as the hub's client lays it out."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text("0123abc")
    file = folder / "snapshots" / "0123abc" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


@pytest.mark.parametrize("name", [NAME, "test_vit", "hf-hub:timm/test_vit.r160_in1k", "resnet18"])
def test_without_cache_and_network_the_way_out_is_named_within_seconds(
    name: str, offline: list[object], cache: Path
) -> None:
    began = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        create_backbone(BackboneConfig(name), 3)
    assert time.monotonic() - began < 10
    for words in (name, "not cached", "cannot be reached", "--model.backbone.pretrained", "false"):
        assert words in str(caught.value)
    assert offline, "the network was asked"


def test_a_network_that_never_answers_is_given_up(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(hub, "_SECONDS", 0.2)

    def hang(*_: object, **__: object) -> None:
        time.sleep(3)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    with pytest.raises(WeightsError, match="cannot be reached"):
        hub.find_published_weights(NAME)
    assert time.monotonic() - began < 2


def test_the_offline_switch_is_believed(
    monkeypatch: pytest.MonkeyPatch, offline: list[object], cache: Path
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="not cached"):
        hub.find_published_weights(NAME)
    assert not offline


def test_cached_weights_need_no_network(offline: list[object], cache: Path) -> None:
    source = timm.create_model("test_vit", num_classes=1000)
    save_file(source.state_dict(), put(cache, f"timm/{NAME}", "model.safetensors"))
    backbone = create_backbone(BackboneConfig(NAME), 3)
    loaded = dict(backbone.named_parameters())["net.blocks.0.attn.qkv.weight"]
    assert loaded.equal(source.state_dict()["blocks.0.attn.qkv.weight"])
    assert not offline


def test_a_half_finished_download_counts_as_no_weights(offline: list[object], cache: Path) -> None:
    put(cache, "timm/test_vit.r160_in1k", "config.json").write_text("{}")
    with pytest.raises(WeightsError, match="not cached"):
        hub.find_published_weights("hf-hub:timm/test_vit.r160_in1k")


def test_a_network_without_published_weights_is_named(offline: list[object]) -> None:
    with pytest.raises(ConfigurationError, match=r"publishes no weights for 'botnet50ts_256'"):
        create_backbone(BackboneConfig("botnet50ts_256"), 3)
    assert not offline


def test_the_shipped_model_needs_neither_cache_nor_network(
    offline: list[object], cache: Path
) -> None:
    assert hub.find_published_weights("glyph_vit_patch8_32") == {}
    create_backbone(BackboneConfig(), 3)
    assert not offline


def test_random_weights_need_no_network(offline: list[object], cache: Path) -> None:
    create_backbone(BackboneConfig(NAME, pretrained=False), 3)
    assert not offline
