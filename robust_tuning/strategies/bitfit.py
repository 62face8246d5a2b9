"""BitFit."""

from robust_tuning.strategies.base import Strategy, is_bias


class BitFit(Strategy):
    """Train the biases (Ben Zaken et al. 2021, arXiv:2106.10199), those of normalisation included.

    Works on any timm model: 102,912 parameters on `vit_base_patch16_224`.
    """

    def trains(self, name: str) -> bool:
        """Biases do, of every kind of layer."""
        return is_bias(name)
