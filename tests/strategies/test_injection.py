import re
import warnings

import torch

from robust_tuning.strategies import IA3, LoRA
from robust_tuning.strategies.injection import exactly, folded, stock_state
from tests.strategies.small import adapted, network, vit


def test_the_pattern_matches_these_names_alone() -> None:
    pattern = exactly(["blocks.1.attn.qkv.q", "blocks.1.mlp.fc1"])
    assert re.fullmatch(pattern, "blocks.1.attn.qkv.q")
    for other in (
        "blocks.11.mlp.fc1",
        "x.blocks.1.mlp.fc1",
        "blocks.1.mlp.fc12",
        "blocksx1.mlp.fc1",
    ):
        assert not re.fullmatch(pattern, other)


def test_the_network_keeps_its_type() -> None:
    assert type(network(adapted(LoRA()))) is type(network(vit()))


def test_the_very_tensors_come_back() -> None:
    model = adapted(LoRA())
    pointers = {name: p.data_ptr() for name, p in model.named_parameters()}
    with folded(model.net):
        inside = {name: p.data_ptr() for name, p in model.named_parameters()}
    assert inside != pointers
    assert {name: p.data_ptr() for name, p in model.named_parameters()} == pointers


def test_folding_warns_of_nothing() -> None:
    model = adapted(IA3())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            with folded(model.net):
                pass


def test_stock_state_has_the_stock_names_and_leaves_the_network() -> None:
    model = adapted(LoRA())
    before = list(model.state_dict())
    plain = network(vit()).state_dict()
    state = stock_state(model.net)
    assert list(state) == list(plain)
    assert all(torch.equal(state[name], plain[name]) for name in plain)
    assert list(model.state_dict()) == before
