"""Bottleneck adapters."""

from collections.abc import Sequence
from typing import Literal, get_args

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

_STD = 0.02


class Adapter(Strategy):
    """Bottleneck layers inside every block (Houlsby et al. 2019, arXiv:1902.00751).

    Each sub-layer's contribution `h` to the residual stream becomes `h + up(gelu(down(h)))`. The
    defaults are the study's: 3,559,680 parameters on `vit_base_patch16_224`, with weights drawn
    from N(0, 0.02²), so that training does not start exactly from the backbone.

    Needs transformer blocks.

    Args:
        reduction_factor: Width of the block over width of the bottleneck, rounded down.
        places: After which sub-layers of each block.
        init: `normal`, the study's, or `identity`: `up` starts at zero.

    Raises:
        ConfigurationError: If an argument is out of range.
    """

    def __init__(
        self,
        reduction_factor: int = 8,
        places: Sequence[Place] = ("attn", "mlp"),
        init: Literal["normal", "identity"] = "normal",
    ) -> None:
        if init not in ("normal", "identity"):
            message = f"Adapter's init is {init!r}, expected 'normal' or 'identity'"
            raise ConfigurationError(message)
        self.reduction_factor = at_least("Adapter's reduction_factor", reduction_factor, 1)
        self.places = choices("Adapter's places", places, get_args(Place))
        self.init = init

    def insert(self, model: Backbone) -> None:
        """Put a bottleneck after each sub-layer."""
        narrowest = widths(model.net, self.places, self.name)[0]
        if narrowest < self.reduction_factor:
            message = (
                f"Adapter's reduction_factor is {self.reduction_factor}, but blocks of this "
                f"backbone are {narrowest} wide, so at most {narrowest} works"
            )
            raise ConfigurationError(message)
        insert_bottlenecks(model.net, self.places, self._build, self.name)

    def trains(self, name: str) -> bool:
        """The bottlenecks do."""
        return ".adapter." in name

    def export_state(self, model: Backbone) -> dict[str, Tensor]:  # noqa: ARG002  of no model
        """Refuse: a stock model has no place for bottlenecks."""
        refuse_export(self.name)

    def _build(self, width: int) -> Bottleneck:
        down = nn.Linear(width, width // self.reduction_factor)
        up = nn.Linear(width // self.reduction_factor, width)
        nn.init.normal_(down.weight, std=_STD)
        nn.init.normal_(up.weight, std=_STD if self.init == "normal" else 0.0)
        nn.init.zeros_(down.bias)
        nn.init.zeros_(up.bias)
        return Bottleneck(down, up)
