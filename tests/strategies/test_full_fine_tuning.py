import torch

from robust_tuning.backbones import BackboneConfig, create_backbone
from robust_tuning.strategies import FullFineTuning
from tests.strategies.small import adapted, logits, vit


def test_everything_trains_from_the_untouched_backbone() -> None:
    model = adapted(FullFineTuning())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(logits(model), logits(vit()))


def test_running_statistics_move_in_training() -> None:
    model = create_backbone(BackboneConfig("test_resnet", False, 32), 3)
    FullFineTuning().adapt(model)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model.train()(torch.rand(2, 3, 32, 32))
    means = [name for name in before if name.endswith("running_mean")]
    assert means
    assert all(not torch.equal(before[n], dict(model.named_buffers())[n]) for n in means)
