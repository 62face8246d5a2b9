"""(IA)³."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import get_args

from torch import Tensor

from robust_tuning.backbones import Backbone
from robust_tuning.strategies.arguments import choices
from robust_tuning.strategies.attention import layout_of
from robust_tuning.strategies.base import Strategy
from robust_tuning.strategies.blocks import Target, prepare_targets
from robust_tuning.strategies.injection import exactly, folded, inject, stock_state


class IA3(Strategy):
    """Learned scales on the outputs of linear layers (Liu et al. 2022, arXiv:2205.05638).

    `l ⊙ (W x + b)` with `l` starting at one, so training starts from the untouched backbone. The
    places are the study's, which differ from the paper's: both layers of the MLP are scaled, each
    at its output, where the paper scales the activation between them. 64,512 parameters on
    `vit_base_patch16_224`.

    Needs transformer blocks.

    Args:
        targets: Linear layers of each block.

    Raises:
        ConfigurationError: If there is no such layer.
    """

    def __init__(self, targets: Sequence[Target] = ("k", "v", "fc1", "fc2")) -> None:
        self.targets = choices("IA3's targets", targets, get_args(Target))

    def insert(self, model: Backbone) -> None:
        """Wrap the targets with peft's layers."""
        names = prepare_targets(model.net, self.targets, self.name)
        from peft import IA3Config

        # What peft calls feed-forward modules would be scaled at their input.
        inject(model.net, IA3Config(target_modules=exactly(names), feedforward_modules=[]))

    def trains(self, name: str) -> bool:
        """The scales do."""
        return ".ia3_" in name

    def inert_parameters(self, model: Backbone) -> dict[str, str]:
        """Scales that a normalisation takes out again: those of XCiT's queries and keys."""
        reason = "scales channels that the attention normalises over the tokens: no gradient"
        return {
            f"net.{path}.{name}": reason
            for path, module in model.net.named_modules()
            if (layout := layout_of(module))
            for name, _ in module.named_parameters()
            if any(f".{letter}.ia3_" in name for letter in layout.scale_free)
        }

    @contextmanager
    def merged(self, model: Backbone) -> Iterator[None]:
        """Multiply the scales into weights and biases, for the duration."""
        with folded(model.net):
            yield

    def export_state(self, model: Backbone) -> dict[str, Tensor]:
        """The network with the scales multiplied into weights and biases."""
        return stock_state(model.net)
