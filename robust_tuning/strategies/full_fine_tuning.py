"""Full fine-tuning."""

from robust_tuning.strategies.base import Strategy


class FullFineTuning(Strategy):
    """Train every parameter; also the running statistics of batch norms move.

    Works on any timm model.
    """

    def trains(self, name: str) -> bool:  # noqa: ARG002  all of them
        """Everything does."""
        return True
