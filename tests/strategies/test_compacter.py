import copy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robust_tuning.errors import ConfigurationError
from robust_tuning.strategies import Compacter
from robust_tuning.strategies.compacter import KroneckerLinear, KroneckerRule
from tests.strategies.small import DEPTH, adapted, logits, network, trained, vit


@given(n=st.integers(1, 4), p=st.integers(1, 3), q=st.integers(1, 3), rank=st.integers(1, 3))
def test_the_layer_is_a_sum_of_kronecker_products(n: int, p: int, q: int, rank: int) -> None:
    rule = KroneckerRule(n)
    torch.nn.init.normal_(rule.weight)
    layer = KroneckerLinear(n * p, n * q, rank, rule).double()
    rule.double()
    torch.nn.init.normal_(layer.bias)
    terms = [torch.kron(rule.weight[i], layer.left[i] @ layer.right[i]) for i in range(n)]
    x = torch.randn(2, 3, n * p, dtype=torch.float64)
    expected = x @ torch.stack(terms).sum(0) + layer.bias
    assert torch.allclose(layer(x), expected, atol=1e-12)


def test_the_rule_is_one_parameter_with_one_entry_in_the_state() -> None:
    model = adapted(Compacter(reduction_factor=4))
    shapes = trained(model)
    assert shapes.pop("kronecker_rule.weight") == (4, 4, 4)
    expected: dict[str, tuple[int, ...]] = {}
    for i in range(DEPTH):
        for place in ("drop_path1", "drop_path2"):
            path = f"blocks.{i}.{place}.adapter"
            expected[f"{path}.down.left"], expected[f"{path}.down.right"] = (4, 16, 1), (4, 1, 4)
            expected[f"{path}.up.left"], expected[f"{path}.up.right"] = (4, 4, 1), (4, 1, 16)
            expected[f"{path}.down.bias"], expected[f"{path}.up.bias"] = (16,), (64,)
    assert shapes == expected
    assert sum("rule" in name for name in model.state_dict()) == 1


def test_every_layer_of_a_copy_follows_the_copy_of_the_rule() -> None:
    model = adapted(Compacter(reduction_factor=4))
    clone = copy.deepcopy(model)
    rule = network(clone).kronecker_rule
    layers = [m for m in clone.modules() if isinstance(m, KroneckerLinear)]
    assert len(layers) == 4 * DEPTH
    assert all(layer._shared[0] is rule for layer in layers)
    state = {name: tensor + 0.5 for name, tensor in clone.state_dict().items()}
    clone.load_state_dict(state, assign=True)
    x = torch.randn(2, 64)
    hand = torch.einsum("iab,ipr,irq->apbq", rule.weight, layers[0].left, layers[0].right)
    assert torch.allclose(layers[0](x), x @ hand.reshape(64, 16) + layers[0].bias)


def test_starts_from_the_backbone_up_to_noise() -> None:
    torch.manual_seed(0)
    rule = torch.cat([KroneckerRule(4).weight.detach().flatten() for _ in range(50)])
    assert float(rule.std()) == pytest.approx(1e-4, rel=0.05)
    moved = float((logits(adapted(Compacter(reduction_factor=4))) - logits(vit())).abs().max())
    assert 0 < moved < 1e-5


def test_factors_are_xavier_normal() -> None:
    torch.manual_seed(0)
    layer = KroneckerLinear(4 * 200, 4 * 100, 1, KroneckerRule(4))
    left, right = layer.left.detach(), layer.right.detach()
    assert float(left.std()) == pytest.approx((2 / 201) ** 0.5, rel=0.1)
    assert float(right.std()) == pytest.approx((2 / 101) ** 0.5, rel=0.1)
    assert float(left.abs().max()) > 2 * (2 / 201) ** 0.5  # not uniform


def test_a_size_that_cannot_work_is_refused_with_the_sizes_that_would() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        adapted(Compacter(), width=192)
    message = str(refusal.value)
    assert "[192] and [6] with reduction_factor=32" in message
    assert "reduction_factor can be 1, 2, 3, 4, 6, 8, 12, 16, 24, 48;" in message
    assert message.endswith("n can be 1, 2, 3, 6")


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 6, 8, 12, 16, 24, 48])
def test_the_factors_it_names_do_work(factor: int) -> None:
    assert trained(adapted(Compacter(reduction_factor=factor), width=192))


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_the_numbers_it_names_do_work(n: int) -> None:
    assert trained(adapted(Compacter(n=n), width=192))["kronecker_rule.weight"] == (n, n, n)


@pytest.mark.parametrize("name", ["reduction_factor", "n", "rank"])
def test_arguments_that_cannot_work_are_refused(name: str) -> None:
    wrong: dict[str, Any] = {name: 0}
    with pytest.raises(ConfigurationError, match=f"Compacter's {name} is 0"):
        Compacter(**wrong)
