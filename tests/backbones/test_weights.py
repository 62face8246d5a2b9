import pytest
import torch
from torch import nn

from robust_tuning.backbones import BackboneIdentity, hash_weights
from robust_tuning.errors import WeightsError


def net(seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))


def test_equal_weights_have_equal_hashes_and_others_have_not() -> None:
    assert hash_weights(net()) == hash_weights(net())
    assert len(hash_weights(net())) == 64
    assert hash_weights(net()) != hash_weights(net(1))


@pytest.mark.parametrize("name", ["0.weight", "0.bias", "1.running_mean", "1.num_batches_tracked"])
def test_the_hash_sees_every_tensor(name: str) -> None:
    changed = net()
    tensor = changed.state_dict()[name]
    tensor.view(-1)[0] += 1
    assert hash_weights(changed) != hash_weights(net())


def test_the_hash_sees_the_last_bit() -> None:
    changed = net()
    weight = changed.state_dict()["0.weight"]
    weight.view(torch.int32).view(-1)[5] ^= 1
    assert hash_weights(changed) != hash_weights(net())


def test_names_shapes_and_types_count() -> None:
    flat, tall = nn.Linear(4, 1, bias=False), nn.Linear(1, 4, bias=False)
    with torch.no_grad():
        tall.weight.copy_(flat.weight.T)
    assert hash_weights(flat) != hash_weights(tall)
    assert hash_weights(nn.Sequential(flat)) != hash_weights(nn.ModuleDict({"1": flat}))
    zeros = nn.Linear(2, 1)
    nn.init.zeros_(zeros.weight)
    nn.init.zeros_(zeros.bias)
    before = hash_weights(zeros)
    assert hash_weights(zeros.double()) != before


def test_excluded_modules_do_not_count_and_their_namesakes_do() -> None:
    changed = net()
    nn.init.zeros_(dict(changed.named_parameters())["2.weight"])
    assert hash_weights(changed, exclude=("2",)) == hash_weights(net(), exclude=("2",))
    assert hash_weights(changed, exclude=("0", "1")) != hash_weights(net(), exclude=("0", "1"))
    heads = nn.ModuleDict({"head": nn.Linear(1, 1), "head_norm": nn.LayerNorm(1)})
    before = hash_weights(heads, exclude=("head",))
    nn.init.zeros_(dict(heads.named_parameters())["head_norm.weight"])
    assert hash_weights(heads, exclude=("head",)) != before


def test_every_floating_type_has_a_hash() -> None:
    assert len({hash_weights(net().to(t)) for t in (torch.bfloat16, torch.half, torch.float)}) == 3


def test_memory_layout_does_not_count() -> None:
    assert hash_weights(net().to(memory_format=torch.channels_last)) == hash_weights(net())


def test_an_identity_refuses_a_state_of_other_weights_and_says_which() -> None:
    identity = BackboneIdentity("resnet", "a" * 64)
    assert str(identity) == "resnet@aaaaaaaaaaaa"
    identity.require("a" * 64, "the checkpoint")
    with pytest.raises(WeightsError, match=r"the checkpoint was made from .* bbbbbbbbbbbb.*resnet"):
        identity.require("b" * 64, "the checkpoint")
