"""The fast gradient sign method."""

from robust_tuning.attacks.pgd import PGD
from robust_tuning.types import Norm


class FGSM(PGD):
    """One step of the length of the radius, from the image itself.

    `x' = project(x + eps * steepest(gradient of the cross-entropy at x))`. Cheap and weak: an upper
    bound on robust accuracy that only says how much stronger attacks add.

    Source: I. Goodfellow et al., "Explaining and Harnessing Adversarial Examples", arXiv 1412.6572,
    section 4; for `l2` the step along the gradient itself, for `l1` along its largest components as
    in `PGD`.

    Args:
        eps: Radius in [0, 1] pixel units: a number or a fraction such as `4/255`.
        norm: `linf`, `l2` or `l1`.
        seed: Not used: nothing here is random.

    Raises:
        ConfigurationError: If a setting is out of range.
    """

    takes_starts = False  # it begins at the image by definition

    def __init__(self, *, eps: float | str = "1/255", norm: Norm = "linf", seed: int = 0) -> None:
        super().__init__(eps=eps, norm=norm, steps=1, step_size=eps, random_start=False, seed=seed)
