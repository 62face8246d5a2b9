"""A small ViT for the tests of single strategies."""

from typing import cast

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from robust_tuning.backbones import Backbone, BackboneConfig, create_backbone
from robust_tuning.strategies import Strategy

WIDTH, DEPTH, CLASSES = 64, 2, 5


def vit(width: int = WIDTH, **kwargs: object) -> Backbone:
    settings = {"embed_dim": width, "depth": DEPTH, "num_heads": 2, "mlp_ratio": 2.0, **kwargs}
    config = BackboneConfig("vit_tiny_patch16_224", False, 32, kwargs=settings)
    return create_backbone(config, CLASSES).eval()


def adapted(strategy: Strategy, **kwargs: object) -> Backbone:
    model = vit(**kwargs)  # type: ignore[arg-type]  # the width comes first
    torch.manual_seed(0)
    strategy.adapt(model)
    return model.eval()


def network(model: Backbone) -> VisionTransformer:
    return cast("VisionTransformer", model.net)


def logits(model: Backbone) -> Tensor:
    with torch.no_grad():
        result: Tensor = model(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    return result


def trained(model: Backbone) -> dict[str, tuple[int, ...]]:
    """Names, in the network, and shapes of what trains outside the head."""
    return {
        name.removeprefix("net."): tuple(parameter.shape)
        for name, parameter in model.body_parameters()
        if parameter.requires_grad
    }
