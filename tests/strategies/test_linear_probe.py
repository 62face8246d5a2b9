import torch

from robust_tuning.strategies import LinearProbe
from tests.strategies.small import adapted, logits, network, trained, vit


def test_only_the_head_trains_from_the_untouched_backbone() -> None:
    model = adapted(LinearProbe())
    assert trained(model) == {}
    assert network(model).head.weight.requires_grad
    assert torch.equal(logits(model), logits(vit()))
