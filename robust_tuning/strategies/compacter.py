"""Compacter."""

from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor, nn

from robust_tuning.backbones import Backbone
from robust_tuning.errors import ConfigurationError
from robust_tuning.strategies.arguments import at_least, choices
from robust_tuning.strategies.base import Strategy
from robust_tuning.strategies.bottleneck import (
    Bottleneck,
    Place,
    insert_bottlenecks,
    refuse_export,
    widths,
)

_STD = 1e-4


class KroneckerRule(nn.Module):
    """The `n` small matrices of shape `(n, n)` that all layers of a model share.

    Args:
        n: Number and side of the matrices.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, n, n))
        nn.init.normal_(self.weight, std=_STD)


class KroneckerLinear(nn.Module):
    """`x H + b` with `H = Σᵢ rule[i] ⊗ (left[i] right[i])` (Karimi Mahabadi et al. 2021, eq. 5).

    Args:
        in_features: A multiple of n.
        out_features: A multiple of n.
        rank: Inner width of the low-rank factors.
        rule: The shared matrices; owned by the network, so not a submodule of this one.

    Shape:
        `(..., in_features)` to `(..., out_features)`.
    """

    def __init__(self, in_features: int, out_features: int, rank: int, rule: KroneckerRule) -> None:
        super().__init__()
        # In a tuple, which nn.Module does not look into: registered here as well, the rule would be
        # in the state of the model once per layer.
        self._shared = (rule,)
        n = rule.weight.shape[0]
        self.left = nn.Parameter(torch.empty(n, in_features // n, rank))
        self.right = nn.Parameter(torch.empty(n, rank, out_features // n))
        self.bias = nn.Parameter(torch.zeros(out_features))
        for i in range(n):
            nn.init.xavier_normal_(self.left[i])
            nn.init.xavier_normal_(self.right[i])

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer; building `H` is cheap beside the product with a batch of tokens."""
        rule = self._shared[0].weight
        blocks = torch.einsum("iab,ipr,irq->apbq", rule, self.left, self.right)
        return x @ blocks.flatten(0, 1).flatten(1, 2) + self.bias


class Compacter(Strategy):
    """Adapters of Kronecker products (Karimi Mahabadi et al. 2021, arXiv:2106.04647).

    The bottlenecks of `Adapter`, at the same places, with hypercomplex layers. The defaults are the
    study's: 57,088 parameters on `vit_base_patch16_224`. The shared rule starts at N(0, 1e-4²),
    so training starts from the backbone up to noise of that size. The factors are Xavier normal, as
    in the study's library, whose configuration says uniform.

    Needs transformer blocks.

    Args:
        reduction_factor: Width of the block over width of the bottleneck, rounded down.
        n: Terms of the sum; divides the width of every block and bottleneck.
        rank: Inner width of each term's low-rank factor.
        places: After which sub-layers of each block.

    Raises:
        ConfigurationError: If an argument is out of range.
    """

    def __init__(
        self,
        reduction_factor: int = 32,
        n: int = 4,
        rank: int = 1,
        places: Sequence[Place] = ("attn", "mlp"),
    ) -> None:
        self.reduction_factor = at_least("Compacter's reduction_factor", reduction_factor, 1)
        self.n = at_least("Compacter's n", n, 1)
        self.rank = at_least("Compacter's rank", rank, 1)
        self.places = choices("Compacter's places", places, get_args(Place))

    def insert(self, model: Backbone) -> None:
        """Put a bottleneck after each sub-layer, and the shared rule on the network."""
        found = widths(model.net, self.places, self.name)
        if not self._fits(found, self.reduction_factor, self.n):
            raise ConfigurationError(self._refusal(found))
        rule = KroneckerRule(self.n)

        def build(width: int) -> Bottleneck:
            inner = width // self.reduction_factor
            return Bottleneck(
                KroneckerLinear(width, inner, self.rank, rule),
                KroneckerLinear(inner, width, self.rank, rule),
            )

        insert_bottlenecks(model.net, self.places, build, self.name)
        reference = next(model.net.parameters())
        model.net.add_module("kronecker_rule", rule.to(reference.device, reference.dtype))

    def trains(self, name: str) -> bool:
        """The bottlenecks and the rule do."""
        return ".adapter." in name or name.endswith("kronecker_rule.weight")

    def export_state(self, model: Backbone) -> dict[str, Tensor]:  # noqa: ARG002  of no model
        """Refuse: a stock model has no place for bottlenecks."""
        refuse_export(self.name)

    @staticmethod
    def _fits(found: Sequence[int], factor: int, n: int) -> bool:
        return all(w % n == 0 and w >= factor and (w // factor) % n == 0 for w in found)

    def _refusal(self, found: Sequence[int]) -> str:
        candidates = range(1, found[0] + 1)
        factors = [f for f in candidates if self._fits(found, f, self.n) and found[0] % f == 0]
        ns = [n for n in candidates if self._fits(found, self.reduction_factor, n)]
        inner = [w // self.reduction_factor for w in found]
        return (
            f"Compacter's n={self.n} has to divide the width of every block and bottleneck, which "
            f"are {found} and {inner} with reduction_factor={self.reduction_factor}; with this n, "
            f"reduction_factor can be {_listed(factors)}; with this reduction_factor, n can be "
            f"{_listed(ns)}"
        )


def _listed(values: Sequence[int]) -> str:
    return ", ".join(map(str, values)) or "nothing"
