"""Bottlenecks after the attention and after the MLP of every transformer block."""

from collections.abc import Callable, Sequence
from typing import Literal, NoReturn

from torch import Tensor, nn

from robust_tuning.errors import ConfigurationError
from robust_tuning.strategies.blocks import find_blocks, output_layer

Place = Literal["attn", "mlp"]

_PATHS: dict[Place, str] = {"attn": "drop_path1", "mlp": "drop_path2"}


class Bottleneck(nn.Module):
    """`up(gelu(down(h)))`, with the exact GELU.

    Args:
        down: From the width of the network to the bottleneck.
        up: Back again.

    Shape:
        `(..., width)` to the same.
    """

    def __init__(self, down: nn.Module, up: nn.Module) -> None:
        super().__init__()
        self.down = down
        self.act: nn.Module = nn.GELU()
        self.up = up

    def forward(self, h: Tensor) -> Tensor:
        """The correction to add to `h`."""
        correction: Tensor = self.up(self.act(self.down(h)))
        return correction


class AdaptedPath(nn.Module):
    """`drop_path(h + adapter(h))`, where a block had `drop_path(h)` just before its residual sum.

    There `h` is what the sub-layer adds to the residual stream, layer scale included. Standing in
    for the block's stochastic depth leaves the names of all pretrained weights as they are.

    Args:
        path: The block's stochastic depth.
        adapter: The correction.
    """

    def __init__(self, path: nn.Module, adapter: Bottleneck) -> None:
        super().__init__()
        self.path = path
        self.adapter = adapter

    def forward(self, h: Tensor) -> Tensor:
        """Correct `h` and pass it on."""
        adapted: Tensor = self.path(h + self.adapter(h))
        return adapted


def insert_bottlenecks(
    net: nn.Module, places: Sequence[Place], build: Callable[[int], Bottleneck], needed_by: str
) -> None:
    """Put a bottleneck at each place of each block, in place.

    Args:
        net: A timm network; left untouched if it is refused.
        places: After which sub-layers.
        build: Makes a bottleneck for a width.
        needed_by: The strategy's name, for messages.

    Raises:
        ConfigurationError: If a block has no such place, or `build` refuses a width.
    """
    found = [
        (block, _PATHS[place], width) for block, place, width in _places(net, places, needed_by)
    ]
    adapters = [build(width) for _, _, width in found]
    for (block, path, _), adapter in zip(found, adapters, strict=True):
        reference = next(block.parameters())
        adapter.to(reference.device, reference.dtype)
        setattr(block, path, AdaptedPath(getattr(block, path), adapter))


def widths(net: nn.Module, places: Sequence[Place], needed_by: str) -> list[int]:
    """The widths at which bottlenecks would be inserted, in increasing order."""
    return sorted({width for _, _, width in _places(net, places, needed_by)})


def _places(
    net: nn.Module, places: Sequence[Place], needed_by: str
) -> list[tuple[nn.Module, Place, int]]:
    found = []
    for block in find_blocks(net, needed_by):
        for place in places:
            layer = output_layer(block, place)
            if not isinstance(getattr(block.module, _PATHS[place], None), nn.Module):
                kind = type(block.module).__name__
                what = f"separate drop_path1 and drop_path2, and {kind} has not"
            elif not isinstance(layer, nn.Linear):
                kind = type(getattr(block, place)).__name__
                what = f"an {place} that ends in a linear layer, and {kind} does not"
            else:
                found.append((block.module, place, layer.out_features))
                continue
            message = (
                f"{needed_by} needs blocks with {what} (at {block.path}); "
                "use LoRA, BitFit, LinearProbe or FullFineTuning there"
            )
            raise ConfigurationError(message)
    return found


def refuse_export(strategy: str) -> NoReturn:
    """Say why bottlenecks have no place in a stock model.

    Raises:
        ConfigurationError: Always.
    """
    message = (
        f"{strategy} cannot be exported to a stock timm model: its bottlenecks hold a "
        "nonlinearity, which no weight can absorb; store Backbone.trained_state() and load it into "
        "a backbone adapted by the same strategy, or train with LoRA or IA3"
    )
    raise ConfigurationError(message)
