"""Linear probing."""

from robust_tuning.strategies.base import Strategy


class LinearProbe(Strategy):
    """Train the head alone, on frozen features.

    Works on any timm model.
    """

    def trains(self, name: str) -> bool:  # noqa: ARG002  none of them
        """Nothing outside the head does."""
        return False
