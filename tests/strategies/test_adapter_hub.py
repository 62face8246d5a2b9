"""Logits equal those of adapter-hub's library, the one the study used, with the same weights."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from robust_tuning.strategies import LinearProbe, Strategy
from robust_tuning.strategies.bottleneck import Bottleneck
from robust_tuning.strategies.compacter import KroneckerLinear
from tests.oracles import adapter_hub as small

FOLDER = Path(small.__file__).parent / "adapter_hub"
NAMES = sorted(small.STRATEGIES)


def golden(name: str) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """The library's weights, images and logits."""
    pretrained = load_file(FOLDER / "vit.safetensors")
    images, plain = pretrained.pop("images").double(), pretrained.pop("logits")
    added = load_file(FOLDER / f"{name}.safetensors") if name != "vit" else {"logits": plain}
    logits = added.pop("logits")
    return {k: v.double() for k, v in {**pretrained, **added}.items()}, images, logits


def difference(net: nn.Module, images: Tensor, logits: Tensor) -> float:
    with torch.no_grad():
        return float((net(images) - logits).abs().max())


@pytest.mark.parametrize("name", ["vit", *NAMES])
def test_golden_values_in_float64(name: str) -> None:
    theirs, images, logits = golden(name)
    strategy: Strategy = small.STRATEGIES.get(name, LinearProbe())
    net = small.adapted_network(strategy, theirs)
    assert difference(net, images, logits) < 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_golden_values_in_float32(name: str) -> None:
    theirs, images, logits = golden(name)
    net = small.adapted_network(small.STRATEGIES[name], theirs).float()
    assert difference(net, images.float(), logits) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_golden_logits_depend_on_the_strategy(name: str) -> None:
    assert float((golden(name)[2] - golden("vit")[2]).abs().max()) > 0.1


def test_relu_would_be_noticed() -> None:
    theirs, images, logits = golden("adapter")
    net = small.adapted_network(small.STRATEGIES["adapter"], theirs)
    for module in net.modules():
        if isinstance(module, Bottleneck):
            module.act = nn.ReLU()
    assert difference(net, images, logits) > 1e-3


def test_tanh_approximation_would_be_noticed() -> None:
    theirs, images, logits = golden("adapter")
    net = small.adapted_network(small.STRATEGIES["adapter"], theirs)
    for module in net.modules():
        if isinstance(module, Bottleneck):
            module.act = nn.GELU(approximate="tanh")
    assert difference(net, images, logits) > 1e-6


def test_adapter_on_the_residual_stream_would_be_noticed() -> None:
    theirs, images, logits = golden("adapter")
    net = small.adapted_network(small.STRATEGIES["adapter"], theirs)
    for block in net.blocks:
        adapter, block.drop_path2 = block.drop_path2.adapter, block.drop_path2.path
        block.register_forward_hook(lambda _, __, out, adapter=adapter: out + adapter(out))
    assert difference(net, images, logits) > 1e-3


def test_transposed_kronecker_rule_would_be_noticed() -> None:
    theirs, images, logits = golden("compacter")
    key = "vit.shared_parameters.default.phm_rule"
    theirs[key] = theirs[key].transpose(1, 2).contiguous()
    net = small.adapted_network(small.STRATEGIES["compacter"], theirs)
    assert difference(net, images, logits) > 1e-3


def test_scaling_the_input_of_fc2_would_be_noticed() -> None:
    theirs, images, logits = golden("ia3")
    net = small.adapted_network(small.STRATEGIES["ia3"], theirs)
    for block in net.blocks:
        scaled = block.mlp.fc2
        scale = scaled.ia3_l["default"].detach().flatten().repeat(2)
        block.mlp.fc2 = scaled.get_base_layer()
        block.mlp.fc2.register_forward_pre_hook(lambda _, args, s=scale: (args[0] * s,))
    assert difference(net, images, logits) > 1e-3


def test_kronecker_layer_is_the_sum_of_kronecker_products() -> None:
    theirs, _, _ = golden("compacter")
    net = small.adapted_network(small.STRATEGIES["compacter"], theirs)
    layer = next(m for m in net.modules() if isinstance(m, KroneckerLinear))
    rule = net.kronecker_rule.weight
    terms = [torch.kron(rule[i], layer.left[i] @ layer.right[i]) for i in range(len(rule))]
    matrix = torch.stack(terms).sum(0)
    x = torch.randn(2, 3, small.WIDTH, dtype=torch.float64)
    assert torch.allclose(layer(x), x @ matrix + layer.bias, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_the_library_itself_agrees(name: str) -> None:
    pytest.importorskip("adapters")
    from tests.oracles.make_adapter_hub_golden import library_logits, library_vit

    model = library_vit(name, seed=3)
    images = torch.randn(2, 3, small.IMAGE, small.IMAGE, dtype=torch.float64)
    logits = library_logits(model, images)
    net = small.adapted_network(small.STRATEGIES[name], dict(model.state_dict()))
    assert difference(net, images, logits) < 1e-12
    assert difference(net.float(), images.float(), logits) < 1e-5
