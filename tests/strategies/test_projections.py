from unittest.mock import patch

import torch
import torch.nn.functional as F  # noqa: N812  the field's name for it
from torch import nn

from robust_tuning.strategies.projections import SplitLinear, fuse_projections, split_projections
from tests.strategies.small import DEPTH, WIDTH, logits, network, vit


def test_the_fused_kernel_stays_and_the_logits_are_bit_equal() -> None:
    model = vit()
    expected = logits(model)
    for block in network(model).blocks:
        split_projections(block.attn)
        assert isinstance(block.attn.qkv, SplitLinear)
    kernel = F.scaled_dot_product_attention
    with patch.object(F, "scaled_dot_product_attention", side_effect=kernel) as counted:
        assert torch.equal(logits(model), expected)
    assert counted.call_count == DEPTH


def test_letters_hold_their_rows() -> None:
    attention = network(vit()).blocks[0].attn
    weight, bias = attention.qkv.weight.clone(), attention.qkv.bias.clone()
    split_projections(attention)
    for i, letter in enumerate("qkv"):
        layer = getattr(attention.qkv, letter)
        assert isinstance(layer, nn.Linear)
        assert torch.equal(layer.weight, weight[i * WIDTH : (i + 1) * WIDTH])
        assert torch.equal(layer.bias, bias[i * WIDTH : (i + 1) * WIDTH])


def test_fusing_takes_the_present_weights() -> None:
    attention = network(vit()).blocks[0].attn
    split_projections(attention)
    with torch.no_grad():
        attention.qkv.k.weight.fill_(7)
    fuse_projections(attention)
    assert type(attention.qkv) is nn.Linear
    assert bool((attention.qkv.weight[WIDTH : 2 * WIDTH] == 7).all())
    assert not bool((attention.qkv.weight[:WIDTH] == 7).any())


def test_splitting_draws_no_random_numbers() -> None:
    attention = network(vit()).blocks[0].attn
    before = torch.get_rng_state()
    split_projections(attention)
    assert torch.equal(torch.get_rng_state(), before)
