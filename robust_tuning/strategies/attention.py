"""Where timm's attention classes keep the projections of queries, keys and values."""

from collections.abc import Iterator

from torch import nn


def key_biases(net: nn.Module) -> Iterator[tuple[str, str]]:
    """Biases of key projections that softmax's shift invariance leaves without a gradient."""
    del net
    yield from ()
