import pytest
import torch
from torch import nn

from robust_tuning.errors import ConfigurationError
from robust_tuning.strategies import BitFit, FullFineTuning, LinearProbe, LoRA
from robust_tuning.strategies.base import is_bias
from tests.strategies.small import adapted, network, vit


def test_biases_and_norms_do_not_decay() -> None:
    model = adapted(FullFineTuning())
    decay, no_decay = FullFineTuning().param_groups(model, lr=0.5, weight_decay=0.25)
    names = {id(p): n.removeprefix("net.") for n, p in model.named_parameters()}
    assert (decay["lr"], decay["weight_decay"]) == (0.5, 0.25)
    assert (no_decay["lr"], no_decay["weight_decay"]) == (0.5, 0.0)
    decayed = {names[id(p)] for p in decay["params"]}
    assert {"cls_token", "pos_embed", "head.weight", "blocks.1.mlp.fc2.weight"} <= decayed
    undecayed = {names[id(p)] for p in no_decay["params"]}
    assert {
        "norm.weight",
        "blocks.0.norm1.weight",
        "head.bias",
        "patch_embed.proj.bias",
    } <= undecayed
    expected = {n for n in names.values() if n.endswith("bias") or "norm" in n}
    assert undecayed == expected


def test_empty_groups_are_dropped() -> None:
    model = adapted(LinearProbe())
    network(model).head.bias.requires_grad_(False)
    assert len(LinearProbe().param_groups(model, 0.1, 0.1)) == 1


def test_the_head_trains_whatever_the_strategy_says() -> None:
    model = vit()
    network(model).head.weight.requires_grad_(False)
    LinearProbe().adapt(model)
    assert network(model).head.weight.requires_grad


def test_adapting_again_names_the_first_strategy() -> None:
    model = adapted(BitFit())
    with pytest.raises(ConfigurationError, match="adapted by BitFit already"):
        LoRA().adapt(model)
    assert not any(".lora_" in name for name, _ in model.named_parameters())


def test_new_parameters_come_from_the_global_generator() -> None:
    one, same = adapted(LoRA()), adapted(LoRA())
    torch.manual_seed(1)
    other = vit()
    LoRA().adapt(other)
    name = "net.blocks.0.mlp.fc1.lora_A.default.weight"
    assert torch.equal(one.state_dict()[name], same.state_dict()[name])
    assert not torch.equal(one.state_dict()[name], other.state_dict()[name])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("net.blocks.0.attn.qkv.bias", True),
        ("net.blocks.0.attn.q_bias", True),
        ("net.layers.0.attn.relative_position_bias_table", False),
        ("net.stages.0.attn.attention_biases", False),
        ("net.bias_act.weight", False),
    ],
)
def test_what_counts_as_a_bias(name: str, expected: bool) -> None:
    assert is_bias(name) is expected


def test_export_is_a_copy() -> None:
    model = adapted(FullFineTuning())
    state = FullFineTuning().export_state(model)
    before = state["head.weight"].clone()
    with torch.no_grad():
        network(model).head.weight.add_(1)
    assert torch.equal(state["head.weight"], before)
    assert set(state) == set(model.net.state_dict())


def test_repr_shows_the_settings() -> None:
    assert (
        repr(LoRA(rank=2, targets=["q"])) == "LoRA(rank=2, alpha=8.0, dropout=0.0, targets=('q',))"
    )
    assert LoRA().name == "LoRA"


def test_key_biases_are_named_as_inert() -> None:
    model = adapted(BitFit())
    inert = BitFit().inert_parameters(model)
    assert set(inert) == {f"net.blocks.{i}.attn.qkv.bias[key]" for i in range(2)}
    assert BitFit().inert_parameters(adapted(BitFit(), qkv_bias=False)) == {}
    normed = adapted(BitFit(), qk_norm=True, norm_layer=nn.LayerNorm)
    assert set(BitFit().inert_parameters(normed)) == {
        f"net.blocks.{i}.attn.k_norm.bias" for i in range(2)
    }
