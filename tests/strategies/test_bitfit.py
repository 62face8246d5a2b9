import torch

from robust_tuning.strategies import BitFit
from tests.strategies.small import DEPTH, adapted, logits, trained, vit


def test_exactly_the_biases_train_from_the_untouched_backbone() -> None:
    model = adapted(BitFit())
    layers = ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
    inside = {f"blocks.{i}.{layer}.bias" for i in range(DEPTH) for layer in layers}
    assert set(trained(model)) == {*inside, "patch_embed.proj.bias", "norm.bias"}
    assert torch.equal(logits(model), logits(vit()))
