"""Finding transformer blocks and their linear layers in a timm network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

from robust_tuning.errors import ConfigurationError
from robust_tuning.strategies.attention import projections_of
from robust_tuning.strategies.projections import SplitLinear, split_projections

Target = Literal["q", "k", "v", "proj", "fc1", "fc2"]

_LETTERS = ("q", "k", "v")
# Gated layers have two inputs: SwiGLU's fc1_g and fc1_x, GeGLU's w0 and w1 (and w2 as output).
_MLP_LAYERS = {"fc1": ("fc1", "fc1_g", "fc1_x", "w0", "w1"), "fc2": ("fc2", "w2")}


@dataclass(frozen=True)
class Block:
    """A transformer block.

    Attributes:
        path: Its name in the network.
        module: Itself.
        attn: Its attention.
        mlp: Its MLP.
    """

    path: str
    module: nn.Module
    attn: nn.Module
    mlp: nn.Module


def find_blocks(net: nn.Module, needed_by: str) -> list[Block]:
    """Transformer blocks: modules with an `attn` and an `mlp`.

    Args:
        net: A timm network.
        needed_by: The strategy's name, for the message.

    Returns:
        The blocks, in order.

    Raises:
        ConfigurationError: If there are none.
    """
    blocks = []
    for path, module in net.named_modules():
        children = dict(module.named_children())
        if {"attn", "mlp"} <= children.keys():
            blocks.append(Block(path, module, children["attn"], children["mlp"]))
    if not blocks:
        message = (
            f"{needed_by} needs transformer blocks (modules with attn and mlp), and "
            f"{type(net).__name__} has none; use BitFit, LinearProbe or FullFineTuning there"
        )
        raise ConfigurationError(message)
    return blocks


def output_layer(block: Block, place: Literal["attn", "mlp"]) -> nn.Module | None:
    """The last layer of a block's attention or MLP, where it can be told."""
    if place == "attn":
        return getattr(block.attn, "proj", None)
    return next((layer for _, layer in _mlp_layers(block, "fc2")), None)


def prepare_targets(net: nn.Module, targets: Sequence[Target], needed_by: str) -> list[str]:
    """Make every target a linear layer of its own, in place.

    Args:
        net: A timm network; left untouched if it is refused.
        targets: Which layers of each block.
        needed_by: The strategy's name, for messages.

    Returns:
        The full names of the linear layers, in order.

    Raises:
        ConfigurationError: If a block keeps a target where it cannot be found.
    """
    blocks = find_blocks(net, needed_by)
    for block in blocks:
        _check(block, targets, needed_by)
    names = []
    for block in blocks:
        if set(targets) & set(_LETTERS):
            split_projections(block.attn)
        for target in targets:
            names += [f"{block.path}.{name}" for name in _layer_names(block, target)]
    return names


def _check(block: Block, targets: Sequence[Target], needed_by: str) -> None:
    attention, mlp = type(block.attn).__name__, type(block.mlp).__name__
    for target in targets:
        if target in _LETTERS:
            fits = projections_of(block.attn) is not None
            what = f"an attention whose rows for q, k and v are known, and {attention}'s are not"
        elif target == "proj":
            fits = isinstance(output_layer(block, "attn"), nn.Linear)
            what = f"a linear layer attn.proj, and {attention} has none"
        else:
            layers = list(_mlp_layers(block, target))
            fits = bool(layers) and all(isinstance(layer, nn.Linear) for _, layer in layers)
            what = f"a linear layer mlp.{target}, and {mlp} has none"
        if not fits:
            message = (
                f"{needed_by} needs for its target {target!r} {what} (at {block.path}); "
                "leave that target out, or use BitFit, LinearProbe or FullFineTuning"
            )
            raise ConfigurationError(message)


def _layer_names(block: Block, target: Target) -> Iterator[str]:
    if target == "proj":
        yield "attn.proj"
    elif target in _LETTERS:
        for name, module in block.attn.named_children():
            if isinstance(module, SplitLinear) and target in module.letters:
                yield f"attn.{name}.{target}"
            elif name in (target, f"{target}_proj") and isinstance(module, nn.Linear):
                yield f"attn.{name}"
    else:
        yield from (f"mlp.{name}" for name, _ in _mlp_layers(block, target))


def _mlp_layers(block: Block, target: str) -> Iterator[tuple[str, nn.Module]]:
    for name in _MLP_LAYERS[target]:
        layer = getattr(block.mlp, name, None)
        if isinstance(layer, nn.Module):
            yield name, layer
