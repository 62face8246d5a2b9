"""Trainable parameters and stored sizes on the study's backbone."""

import copy
from functools import cache

import pytest
import torch
from torch import Tensor

from robust_tuning.backbones import Backbone, BackboneConfig, create_backbone
from robust_tuning.strategies import (
    IA3,
    Adapter,
    BitFit,
    Compacter,
    FullFineTuning,
    LinearProbe,
    LoRA,
    Strategy,
)

COUNTS = [
    (FullFineTuning(), 85_798_656),
    (LinearProbe(), 0),
    (BitFit(), 102_912),
    (LoRA(), 1_179_648),
    (LoRA(targets=["q", "v"]), 294_912),
    (LoRA(targets=["q", "k", "v", "proj", "fc1", "fc2"]), 1_327_104),
    (IA3(), 64_512),
    (Adapter(), 3_559_680),
    (Adapter(places=["mlp"]), 1_779_840),
    (Compacter(), 57_088),
    (Compacter(places=["mlp"]), 28_576),
]


@cache
def vit_base() -> Backbone:
    return create_backbone(BackboneConfig("vit_base_patch16_224", pretrained=False), 257)


def adapted(strategy: Strategy) -> Backbone:
    # The weights play no part here, and the meta device has none.
    model = copy.deepcopy(vit_base().to("meta"))
    strategy.adapt(model)
    return model


@pytest.mark.parametrize(("strategy", "count"), COUNTS, ids=lambda value: repr(value))
def test_trainable_parameters_without_the_head(strategy: Strategy, count: int) -> None:
    model = adapted(strategy)
    assert sum(p.numel() for _, p in model.body_parameters() if p.requires_grad) == count
    assert sum(p.numel() for _, p in model.head_parameters() if p.requires_grad) == 257 * 769


@pytest.mark.parametrize(("strategy", "limit"), [(LoRA(), 8_000_000), (BitFit(), 2_000_000)])
def test_the_trained_state_is_small(strategy: Strategy, limit: int) -> None:
    state = adapted(strategy).trained_state()
    assert 0 < sum(_bytes(tensor) for tensor in state.values()) < limit


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * torch.empty((), dtype=tensor.dtype).element_size()
