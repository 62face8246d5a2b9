import copy

import pytest
import torch

from robust_tuning.backbones import BackboneConfig, create_backbone
from robust_tuning.errors import ConfigurationError
from robust_tuning.strategies import IA3
from tests.strategies.small import DEPTH, WIDTH, adapted, logits, network, trained, vit


def test_one_scale_per_output_starts_at_one() -> None:
    model = adapted(IA3())
    sizes = {"attn.qkv.k": WIDTH, "attn.qkv.v": WIDTH, "mlp.fc1": 2 * WIDTH, "mlp.fc2": WIDTH}
    assert {n: s[0] for n, s in trained(model).items()} == {
        f"blocks.{i}.{layer}.ia3_l.default": size
        for i in range(DEPTH)
        for layer, size in sizes.items()
    }
    state = model.state_dict()
    assert all(bool((state[f"net.{name}"] == 1).all()) for name in trained(model))
    assert torch.equal(logits(model), logits(vit()))


def test_equals_outputs_scaled_by_hand_biases_included() -> None:
    plain = vit()
    with torch.no_grad():
        for name, parameter in plain.named_parameters():
            if name.endswith("bias"):
                parameter.normal_()
    model, before = copy.deepcopy(plain), logits(plain)
    IA3().adapt(model)
    with torch.no_grad():
        for name in trained(model):
            model.get_parameter(f"net.{name}").uniform_(0.5, 2)
        for ours, stock in zip(network(model).blocks, network(plain).blocks, strict=True):
            for i, letter in ((1, "k"), (2, "v")):
                rows = slice(i * WIDTH, (i + 1) * WIDTH)
                scale = getattr(ours.attn.qkv, letter).ia3_l["default"].flatten()
                stock.attn.qkv.weight[rows] *= scale[:, None]
                stock.attn.qkv.bias[rows] *= scale
            for layer in ("fc1", "fc2"):
                scale = getattr(ours.mlp, layer).ia3_l["default"].flatten()
                getattr(stock.mlp, layer).weight *= scale[:, None]
                getattr(stock.mlp, layer).bias *= scale
    assert torch.allclose(logits(model), logits(plain), atol=1e-5)
    assert not torch.allclose(logits(model), before, atol=1e-2)


def test_scales_that_xcit_normalises_away_are_named() -> None:
    settings = {"embed_dim": 32, "depth": 1, "num_heads": 2}
    config = BackboneConfig("xcit_nano_12_p16_224", False, 32, kwargs=settings)
    model = create_backbone(config, 3)
    IA3().adapt(model)
    assert list(IA3().inert_parameters(model)) == ["net.blocks.0.attn.qkv.k.ia3_l.default"]
    model.double().eval()
    images = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    torch.autograd.backward((model(images) * torch.randn(2, 3)).sum())
    for name, parameter in model.named_parameters():
        if ".ia3_" in name and parameter.grad is not None:
            silent = float(parameter.grad.abs().max()) < 1e-9 * float(
                network(model).head.weight.grad.abs().max()
            )
            assert silent == (name in IA3().inert_parameters(model)), name


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="IA3's targets are"):
        IA3(targets=["fc3"])  # type: ignore[list-item]  # the point
