import copy

import pytest
import torch
from torch import nn

from robust_tuning.errors import ConfigurationError
from robust_tuning.strategies import LoRA
from tests.strategies.small import DEPTH, WIDTH, adapted, logits, network, trained, vit


def test_factors_of_every_target_train() -> None:
    model = adapted(LoRA(rank=3, targets=["v", "proj", "fc1"]))
    sizes = {"attn.qkv.v": (64, 64), "attn.proj": (64, 64), "mlp.fc1": (64, 128)}
    expected = {}
    for i in range(DEPTH):
        for layer, (inputs, outputs) in sizes.items():
            expected[f"blocks.{i}.{layer}.lora_A.default.weight"] = (3, inputs)
            expected[f"blocks.{i}.{layer}.lora_B.default.weight"] = (outputs, 3)
    assert trained(model) == expected


def test_starts_from_the_untouched_backbone() -> None:
    assert torch.equal(logits(adapted(LoRA())), logits(vit()))


def test_equals_weights_merged_by_hand() -> None:
    model, plain = adapted(LoRA(rank=2, alpha=3.0)), vit()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
        for ours, stock in zip(network(model).blocks, network(plain).blocks, strict=True):
            joint = stock.attn.qkv.weight
            for i, letter in enumerate("qkv"):
                joint[i * WIDTH : (i + 1) * WIDTH] += update(getattr(ours.attn.qkv, letter), 1.5)
            for layer in ("fc1", "fc2"):
                getattr(stock.mlp, layer).weight += update(getattr(ours.mlp, layer), 1.5)
    assert float((logits(model) - logits(vit())).abs().max()) > 1e-2
    assert torch.allclose(logits(model), logits(plain), atol=1e-6)


def update(layer: nn.Module, scale: float) -> torch.Tensor:
    factors = dict(layer.named_parameters())
    found: torch.Tensor = factors["lora_B.default.weight"] @ factors["lora_A.default.weight"]
    return scale * found


def test_dropout_is_active_in_training_only() -> None:
    model = adapted(LoRA(dropout=0.9))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.5)
    assert torch.equal(logits(model), logits(model))
    model.train()
    assert not torch.equal(logits(model), logits(model))


def test_export_survives_being_called_while_merged() -> None:
    model = adapted(LoRA())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    expected = LoRA().export_state(model)
    with LoRA().merged(model):
        found = LoRA().export_state(model)
    assert all(torch.allclose(found[name], expected[name]) for name in expected)


def test_gated_layers_are_adapted_on_both_inputs() -> None:
    from timm.layers import SwiGLU

    model = adapted(LoRA(targets=["fc1"]), mlp_layer=SwiGLU)
    layers = {name.split(".lora_")[0].removeprefix("blocks.0.") for name in trained(model)}
    assert {"mlp.fc1_g", "mlp.fc1_x"} <= layers


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rank": 0}, "rank is 0"),
        ({"rank": 2.5}, "rank is 2.5"),
        ({"alpha": 0}, "alpha is 0"),
        ({"alpha": float("nan")}, "alpha is nan"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"targets": []}, "one or more of"),
        ({"targets": "qkv"}, "expected a list"),
        ({"targets": ["qkv"]}, "expected a list of one or more of"),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ConfigurationError, match=message):
        LoRA(**arguments)


def test_an_unknown_attention_is_refused_by_name_and_left_alone() -> None:
    class Foreign(type(network(vit()).blocks[0].attn)):  # type: ignore[misc]  # timm is not typed
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    model = vit()
    network(model).blocks[1].attn = Foreign(WIDTH, 2)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ConfigurationError, match=r"Foreign's are not \(at blocks.1\)"):
        LoRA().adapt(model)
    assert model.state_dict().keys() == before.keys()
    LoRA(targets=["fc1"]).adapt(model)
