"""Layers injected by peft: putting them in, folding them away for a while, folding them for good.

peft is slow to import, so it is imported where it is used.
"""

import copy
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from robust_tuning.strategies.projections import fuse_projections

if TYPE_CHECKING:
    from peft import PeftConfig


def exactly(names: Sequence[str]) -> str:
    r"""A pattern that peft matches against full module names, for these and no others.

    Examples:
        >>> print(exactly(["blocks.0.mlp.fc1", "blocks.0.mlp.fc2"]))
        blocks\.0\.mlp\.fc1|blocks\.0\.mlp\.fc2
    """
    return "|".join(re.escape(name) for name in names)


def inject(net: nn.Module, config: "PeftConfig") -> None:
    """Wrap the layers that `config` targets, in place; the network keeps its type."""
    from peft import inject_adapter_in_model

    inject_adapter_in_model(config, net)


@contextmanager
def folded(net: nn.Module) -> Iterator[None]:
    """Compute with the injected layers folded into the weights they wrap.

    Folding and unfolding in floating point does not lead back to the same bits, so the original
    tensors are set aside and put back.
    """
    layers = [layer for _, layer in _layers(net) if not layer.merged]
    bases = [parameter for layer in layers for parameter in layer.get_base_layer().parameters()]
    originals = [parameter.data for parameter in bases]
    try:
        # An inference tensor could not take the place of a parameter's data.
        with torch.inference_mode(False), torch.no_grad():
            for parameter in bases:
                parameter.data = parameter.data.clone()
            for layer in layers:
                layer.merge()
        yield
    finally:
        for parameter, original in zip(bases, originals, strict=True):
            parameter.data = original
        for layer in layers:
            layer.merged_adapters.clear()


def stock_state(net: nn.Module) -> dict[str, Tensor]:
    """The state of timm's own modules with every injected layer folded; `net` is left as it is."""
    stock = copy.deepcopy(net)
    for name, layer in _layers(stock):
        if not layer.merged:
            layer.merge()
        stock.set_submodule(name, layer.get_base_layer())
    fuse_projections(stock)
    return {name: tensor.detach() for name, tensor in stock.state_dict().items()}


def _layers(net: nn.Module) -> list[tuple[str, Any]]:
    from peft.tuners.tuners_utils import BaseTunerLayer

    return [(name, m) for name, m in net.named_modules() if isinstance(m, BaseTunerLayer)]
