"""Which backbones can be adapted, and what the others are told."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from robust_tuning.backbones import BackboneConfig, create_backbone
from robust_tuning.errors import ConfigurationError
from robust_tuning.strategies import IA3, Adapter, Compacter, LoRA, Strategy
from robust_tuning.strategies.blocks import find_blocks, prepare_targets
from tests.strategies.small import network, vit

SMALL = {"embed_dim": 48, "depth": 2, "num_heads": 2}
# Names, settings and sizes chosen to be small; one network of every kind of block.
SUPPORTED: dict[str, tuple[dict[str, Any], int]] = {
    "deit3_small_patch16_224": (SMALL, 32),
    "vit_small_patch14_dinov2": (SMALL, 28),
    "vit_base_patch16_siglip_224": (SMALL, 32),
    "vit_base_patch16_rope_224": (SMALL, 32),
    "vit_small_patch16_dinov3": (SMALL, 32),
    "beit_base_patch16_224": (SMALL, 32),
    "eva02_tiny_patch14_224": (SMALL, 28),
    "eva02_base_patch14_224": (SMALL, 28),
    "swinv2_tiny_window8_256": (
        {"embed_dim": 32, "depths": (2, 1), "num_heads": (2, 2), "window_size": 4},
        32,
    ),
    "xcit_nano_12_p16_224": (SMALL, 32),
    "pvt_v2_b0": ({"depths": (1, 1, 1, 1)}, 32),
    "twins_svt_small": ({"depths": (1, 1, 1, 1)}, 32),
    "tiny_vit_5m_224": ({"depths": (1, 1, 1, 1)}, 32),
    "mobilevit_xxs": ({}, 64),
    "maxvit_tiny_tf_224": ({"embed_dim": (32, 32, 32, 32), "depths": (1, 1, 1, 1)}, 64),
}
REFUSED = {
    ("resnet10t", LoRA): "needs transformer blocks .* and ResNet has none; use BitFit",
    ("test_convnext", Adapter): "needs transformer blocks .* and ConvNeXt has none; use BitFit",
    ("cait_xxs24_224", Adapter): "separate drop_path1 and drop_path2, and LayerScaleBlock has not",
    ("mobilevitv2_050", LoRA): "LinearSelfAttention's are not",
    ("mobilevitv2_050", Compacter): "ends in a linear layer, and LinearSelfAttention does not",
}


@pytest.mark.parametrize("name", SUPPORTED)
@pytest.mark.parametrize(
    "strategy", [LoRA(), IA3(), Adapter(init="identity")], ids=lambda s: s.name
)
def test_families_of_transformers(name: str, strategy: Strategy) -> None:
    settings, size = SUPPORTED[name]
    model = create_backbone(BackboneConfig(name, False, size, kwargs=settings), 3).eval()
    images = torch.rand(2, 3, size, size)
    plain = copy.deepcopy(model)
    torch.manual_seed(0)
    strategy.adapt(model)
    model.eval()
    with torch.no_grad():
        assert close(model(images), plain(images))
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
        expected = model(images)
        assert not close(expected, plain(images))
        with strategy.merged(model):
            assert close(model(images), expected)
        if not isinstance(strategy, Adapter):
            plain.net.load_state_dict(strategy.export_state(model))
            assert close(plain(images), expected)


def close(found: Tensor, expected: Tensor) -> bool:
    return float((found - expected).abs().max()) < 1e-5 * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize(("name", "kind"), REFUSED, ids=str)
def test_what_is_not_understood_is_refused_in_one_line(name: str, kind: type[Strategy]) -> None:
    model = create_backbone(BackboneConfig(name, False, 64), 3)
    names = list(model.state_dict())
    with pytest.raises(ConfigurationError, match=REFUSED[name, kind]) as refusal:
        kind().adapt(model)
    assert "\n" not in str(refusal.value)
    assert list(model.state_dict()) == names


def test_targets_outside_the_blocks_are_never_touched() -> None:
    net = network(vit())
    names = prepare_targets(net, ["q", "proj", "fc2"], "Test")
    assert names == [
        f"blocks.{i}.{layer}" for i in range(2) for layer in ("attn.qkv.q", "attn.proj", "mlp.fc2")
    ]


def test_layers_are_split_only_where_a_letter_is_a_target() -> None:
    net = network(vit())
    prepare_targets(net, ["fc1"], "Test")
    assert type(net.blocks[0].attn.qkv) is torch.nn.Linear


def test_blocks_know_their_place() -> None:
    net = network(vit())
    blocks = find_blocks(net, "Test")
    assert [block.path for block in blocks] == ["blocks.0", "blocks.1"]
    assert blocks[1].attn is net.blocks[1].attn
    assert blocks[1].mlp is net.blocks[1].mlp
