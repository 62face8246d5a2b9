from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from robust_tuning.backbones import Backbone, BackboneConfig, create_backbone
from robust_tuning.backbones.config import Perturb

IMAGES = torch.randint(0, 256, (3, 3, 20, 24), generator=torch.Generator().manual_seed(0)).to(
    torch.uint8
)


def vit(*, perturb: Perturb = "input", classes: int = 5) -> Backbone:
    config = BackboneConfig(pretrained=False, perturb=perturb, kwargs={"depth": 1})
    return create_backbone(config, classes).eval()


def resnet(classes: int = 5) -> Backbone:
    config = BackboneConfig("test_resnet", pretrained=False, image_size=32)
    return create_backbone(config, classes)


def test_where_perturbations_live_changes_the_shape_and_not_the_clean_logits() -> None:
    resized, native = vit(), vit(perturb="native")
    assert resized.prepare(IMAGES).shape == (3, 3, 32, 32)
    assert native.prepare(IMAGES).shape == (3, 3, 20, 24)
    with torch.no_grad():
        one, other = (model(model.prepare(IMAGES)) for model in (resized, native))
    assert one.shape == (3, 5)
    assert torch.equal(one, other)


@pytest.mark.parametrize("perturb", ["input", "native"])
def test_prepared_images_are_pixels_in_0_1(perturb: Perturb) -> None:
    model = vit(perturb=perturb)
    extremes = (IMAGES > 127).to(torch.uint8) * 255
    for prepared in (model.prepare(extremes), model.prepare(extremes.float() / 255)):
        assert prepared.dtype == torch.float32
        assert prepared.min() == 0
        assert prepared.max() == 1
    assert torch.equal(model.prepare(extremes), model.prepare(extremes.float() / 255))


def test_logits_are_the_networks_on_normalised_pixels() -> None:
    model = vit()
    pixels = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(model(pixels), model.net((pixels - 0.5) / 0.5), atol=1e-6)


def test_gradients_reach_the_original_pixels_through_the_resizing() -> None:
    model = vit(perturb="native")
    pixels = model.prepare(IMAGES).requires_grad_()
    (gradient,) = torch.autograd.grad(model(pixels).square().sum(), pixels)
    assert gradient.shape == (3, 3, 20, 24)
    assert (gradient.abs().amax((1, 2, 3)) > 0).all()


@pytest.mark.parametrize("make", [vit, resnet])
def test_head_and_body_share_all_parameters_between_them(make: Callable[[], Backbone]) -> None:
    model = make()
    head = dict(model.head_parameters())
    body = dict(model.body_parameters())
    assert set(head) | set(body) == {name for name, _ in model.named_parameters()}
    assert not set(head) & set(body)
    assert len(head) == 2
    assert next(iter(head.values())).shape[0] == 5
    assert not model.is_head("net.header.weight")


def test_the_trained_state_is_what_trains_and_the_head_and_the_buffers() -> None:
    model = resnet()
    model.requires_grad_(False)
    trained = next(name for name, _ in model.body_parameters())
    dict(model.named_parameters())[trained].requires_grad_(True)
    head = {name for name, _ in model.head_parameters()}
    buffers = {name for name, _ in model.named_buffers() if not name.startswith("normalize.")}
    assert any(name.endswith("running_var") for name in buffers)
    assert set(model.trained_state()) == {trained} | head | buffers


def test_the_trained_state_rebuilds_the_logits_on_the_same_pretrained_weights() -> None:
    tuned, fresh = resnet(), resnet()
    for model in (tuned, fresh):
        for name, parameter in model.body_parameters():
            parameter.requires_grad_("bn" in name)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in tuned.trained_state().values():
            if tensor.is_floating_point():
                tensor += torch.rand(tensor.shape, generator=generator)
    pixels = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert not torch.allclose(tuned.eval()(pixels), fresh.eval()(pixels))
        fresh.load_state_dict(tuned.trained_state(), strict=False)
        assert torch.equal(tuned(pixels), fresh(pixels))


def norms(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


def statistics(model: nn.Module) -> list[Tensor]:
    return [norm.running_mean.clone() for norm in norms(model) if norm.running_mean is not None]


def test_batch_norms_with_a_frozen_scale_keep_their_statistics_in_training() -> None:
    model = resnet()
    model.requires_grad_(False)
    trained = norms(model)[1]
    trained.weight.requires_grad_(True)
    before = statistics(model)
    model.train()
    assert model.training
    assert [norm.training for norm in norms(model)] == [n is trained for n in norms(model)]
    model(torch.rand(4, 3, 32, 32))
    changed = [not torch.equal(a, b) for a, b in zip(before, statistics(model), strict=True)]
    assert changed == [norm is trained for norm in norms(model)]


def test_batch_norms_that_train_move_with_the_mode() -> None:
    model = resnet()
    for mode in (True, False, True):
        model.train(mode)
        assert all(norm.training is mode for norm in norms(model))


def test_batch_norms_without_a_scale_freeze_with_the_network() -> None:
    model = resnet()
    plain = nn.BatchNorm2d(3, affine=False)
    model.net.extra = plain
    assert model.train().training
    assert plain.training
    next(iter(model.net.parameters())).requires_grad_(False)
    model.train()
    assert not plain.training
