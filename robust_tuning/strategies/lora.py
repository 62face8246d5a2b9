"""LoRA."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import get_args

from torch import Tensor

from robust_tuning.backbones import Backbone
from robust_tuning.errors import ConfigurationError
from robust_tuning.strategies.arguments import at_least, choices
from robust_tuning.strategies.base import Strategy
from robust_tuning.strategies.blocks import Target, prepare_targets
from robust_tuning.strategies.injection import exactly, folded, inject, stock_state


class LoRA(Strategy):
    """Low-rank updates of linear layers (Hu et al. 2021, arXiv:2106.09685): `W x + (α/r) B A x`.

    Queries, keys and values are adapted separately, also where timm computes them in one layer.
    `A` is Kaiming uniform and `B` zero, so training starts from the untouched backbone. The
    defaults are the study's: 1,179,648 parameters on `vit_base_patch16_224`.

    Needs transformer blocks.

    Args:
        rank: r, the inner width of an update.
        alpha: α; an update is scaled by `alpha / rank`.
        dropout: Probability of dropping an input of `A` while training.
        targets: Linear layers of each block.

    Raises:
        ConfigurationError: If an argument is out of range.
    """

    def __init__(
        self,
        rank: int = 8,
        alpha: float = 8.0,
        dropout: float = 0.0,
        targets: Sequence[Target] = ("q", "k", "v", "fc1", "fc2"),
    ) -> None:
        if not alpha > 0:
            message = f"LoRA's alpha is {alpha}, expected a positive scale, such as the study's 8"
            raise ConfigurationError(message)
        if not 0 <= dropout < 1:
            message = f"LoRA's dropout is {dropout}, expected a probability in [0, 1)"
            raise ConfigurationError(message)
        self.rank = at_least("LoRA's rank", rank, 1)
        self.alpha = alpha
        self.dropout = dropout
        self.targets = choices("LoRA's targets", targets, get_args(Target))

    def insert(self, model: Backbone) -> None:
        """Wrap the targets with peft's layers."""
        names = prepare_targets(model.net, self.targets, self.name)
        from peft import LoraConfig

        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=exactly(names),
        )
        inject(model.net, config)

    def trains(self, name: str) -> bool:
        """The two factors of each update do."""
        return ".lora_" in name

    @contextmanager
    def merged(self, model: Backbone) -> Iterator[None]:
        """Add the updates to the weights they belong to, for the duration."""
        with folded(model.net):
            yield

    def export_state(self, model: Backbone) -> dict[str, Tensor]:
        """The network with the updates added to its weights."""
        return stock_state(model.net)
