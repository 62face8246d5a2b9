"""Splitting a joint query-key-value layer into its parts, and joining them again."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from robust_tuning.strategies.attention import Projection, projections_of


class SplitLinear(nn.Module):
    """A joint projection as one linear layer per letter, with the joint layer's output.

    It stands where the joint layer stood, so the attention around it, its fused kernel included,
    runs as before.

    Args:
        linear: The joint layer, with weight `(groups * sum(sizes), in_features)`.
        projection: Which of its rows belong to which letter.
        biases: Biases by letter that the attention keeps beside the layer.

    Shape:
        `(..., in_features)` to `(..., groups * sum(sizes))`.
    """

    def __init__(
        self, linear: nn.Linear, projection: Projection, biases: dict[str, nn.Parameter]
    ) -> None:
        super().__init__()
        self.letters = projection.letters
        self.groups = projection.groups
        weights = self._split(linear.weight, projection.sizes)
        rows = dict(biases)
        if linear.bias is not None:
            split = self._split(linear.bias, projection.sizes)
            rows = {k: nn.Parameter(v) for k, v in zip(self.letters, split, strict=True)}
        for letter, weight in zip(self.letters, weights, strict=True):
            self.add_module(letter, _linear(weight, rows.get(letter)))

    def forward(self, x: Tensor) -> Tensor:
        """Project `x`, each letter by its own layer."""
        return self._join([getattr(self, letter)(x) for letter in self.letters], dim=-1)

    @property
    def weight(self) -> Tensor:
        """The first letter's weight: ConViT asks its joint layer for a type and a device."""
        first: Tensor = getattr(self, self.letters[0]).weight
        return first

    def fused(self) -> nn.Linear:
        """The joint layer again; its parts have to be plain linear layers, all or no biases."""
        parts = [cast("nn.Linear", getattr(self, letter)) for letter in self.letters]
        weight = self._join([part.weight for part in parts], dim=0)
        biases = [part.bias for part in parts]
        joined = None if any(b is None for b in biases) else self._join(biases, dim=0)
        return _linear(weight, joined)

    def _split(self, rows: Tensor, sizes: tuple[int, ...]) -> list[Tensor]:
        grouped = rows.detach().reshape(self.groups, -1, *rows.shape[1:])
        return [part.flatten(0, 1).clone() for part in torch.split(grouped, list(sizes), dim=1)]

    def _join(self, parts: Sequence[Tensor], dim: int) -> Tensor:
        if self.groups == 1:
            return torch.cat(list(parts), dim)
        axis = dim % parts[0].ndim
        grouped = [
            part.reshape(*part.shape[:axis], self.groups, -1, *part.shape[axis + 1 :])
            for part in parts
        ]
        return torch.cat(grouped, axis + 1).flatten(axis, axis + 1)


def split_projections(attention: nn.Module) -> None:
    """Replace the joint projections of an attention module, in place, keeping its output.

    Biases that the module keeps beside the layer (BEiT, EVA, Swin V2) move into the parts: without
    them, its forward calls the layer instead of reading the layer's weight.

    Args:
        attention: A module that `projections_of` understands.
    """
    for projection in projections_of(attention) or ():
        if len(projection.letters) == 1:
            continue
        beside = {}
        for letter in ("q", "v"):
            bias = getattr(attention, f"{letter}_bias", None)
            if bias is not None:
                beside[letter] = bias
                setattr(attention, f"{letter}_bias", None)
        linear = cast("nn.Linear", getattr(attention, projection.layer))
        setattr(attention, projection.layer, SplitLinear(linear, projection, beside))


def fuse_projections(net: nn.Module) -> None:
    """Undo `split_projections` in a whole network, in place, with the parts' present weights."""
    for attention in list(net.modules()):
        for name, module in list(attention.named_children()):
            if not isinstance(module, SplitLinear):
                continue
            setattr(attention, name, module.fused())
            if hasattr(attention, "q_bias"):
                for letter in ("q", "v"):
                    setattr(attention, f"{letter}_bias", getattr(module, letter).bias)


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A layer with these values, made without drawing random numbers."""
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    linear.weight = nn.Parameter(weight.detach())
    if bias is not None:
        linear.bias = nn.Parameter(bias.detach())
    return linear
