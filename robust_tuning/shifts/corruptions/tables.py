"""How strong each corruption is: the parameters of CIFAR-C and of ImageNet-C.

Source: D. Hendrycks and T. Dietterich, "Benchmarking neural network robustness to common
corruptions and perturbations", ICLR 2019 (arXiv:1903.12261); the parameters are those of the code
beside it, `make_cifar_c.py` (for images of 32 pixels) and `make_imagenet_c.py` (for 224).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from torch import Tensor

from robust_tuning.shifts.corruptions.blur import defocus_blur, gaussian_blur, zoom_blur
from robust_tuning.shifts.corruptions.colour import brightness, contrast, saturate
from robust_tuning.shifts.corruptions.digital import jpeg_compression, pixelate
from robust_tuning.shifts.corruptions.draws import Draws
from robust_tuning.shifts.corruptions.elastic import Stretch, elastic_transform
from robust_tuning.shifts.corruptions.fog import fog
from robust_tuning.shifts.corruptions.frost import frost
from robust_tuning.shifts.corruptions.glass import glass_blur
from robust_tuning.shifts.corruptions.motion import motion_blur
from robust_tuning.shifts.corruptions.noise import (
    gaussian_noise,
    impulse_noise,
    shot_noise,
    speckle_noise,
)
from robust_tuning.shifts.corruptions.snow import Snowfall, snow
from robust_tuning.shifts.corruptions.spatter import Splash, spatter

Table = Literal["cifar", "imagenet"]
P = TypeVar("P")


@dataclass(frozen=True)
class Recipe(Generic[P]):
    """A corruption and its parameters at severities 1 to 5.

    Attributes:
        apply: Corrupts `(B, 3, H, W)` uint8 with given random numbers and parameters.
        cifar: Parameters for images of 32 pixels.
        imagenet: Parameters for images of 224 pixels.
    """

    apply: Callable[[Tensor, Draws, P], Tensor]
    cifar: tuple[P, P, P, P, P]
    imagenet: tuple[P, P, P, P, P]

    def parameters(self, table: Table, severity: int) -> P:
        """Those of a severity from 1 to 5."""
        return (self.cifar if table == "cifar" else self.imagenet)[severity - 1]


def _stretch(side: int, height: float, sigma: float, affine: float) -> Stretch:
    return Stretch(side * height, side * sigma, side * affine)


STANDARD: dict[str, Recipe[Any]] = {
    "gaussian_noise": Recipe(
        gaussian_noise,
        cifar=(0.04, 0.06, 0.08, 0.09, 0.10),
        imagenet=(0.08, 0.12, 0.18, 0.26, 0.38),
    ),
    "shot_noise": Recipe(
        shot_noise,
        cifar=(500.0, 250.0, 100.0, 75.0, 50.0),
        imagenet=(60.0, 25.0, 12.0, 5.0, 3.0),
    ),
    "impulse_noise": Recipe(
        impulse_noise,
        cifar=(0.01, 0.02, 0.03, 0.05, 0.07),
        imagenet=(0.03, 0.06, 0.09, 0.17, 0.27),
    ),
    "defocus_blur": Recipe(
        defocus_blur,
        cifar=((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)),
        imagenet=((3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)),
    ),
    "glass_blur": Recipe(
        glass_blur,
        cifar=((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        imagenet=((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    ),
    "motion_blur": Recipe(
        motion_blur,
        cifar=((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)),
        imagenet=((10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)),
    ),
    "zoom_blur": Recipe(
        zoom_blur,
        cifar=((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        imagenet=((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    ),
    "snow": Recipe(
        snow,
        cifar=(
            Snowfall(0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            Snowfall(0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            Snowfall(0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            Snowfall(0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            Snowfall(0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        imagenet=(
            Snowfall(0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            Snowfall(0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            Snowfall(0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            Snowfall(0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            Snowfall(0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    "frost": Recipe(
        frost,
        cifar=((1.0, 0.2, 5), (1.0, 0.3, 5), (0.9, 0.4, 5), (0.85, 0.4, 5), (0.75, 0.45, 5)),
        imagenet=((1.0, 0.4, 1), (0.8, 0.6, 1), (0.7, 0.7, 1), (0.65, 0.7, 1), (0.6, 0.75, 1)),
    ),
    "fog": Recipe(
        fog,
        cifar=((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)),
        imagenet=((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)),
    ),
    "brightness": Recipe(
        brightness,
        cifar=(0.05, 0.1, 0.15, 0.2, 0.3),
        imagenet=(0.1, 0.2, 0.3, 0.4, 0.5),
    ),
    "contrast": Recipe(
        contrast,
        cifar=(0.75, 0.5, 0.4, 0.3, 0.15),
        imagenet=(0.4, 0.3, 0.2, 0.1, 0.05),
    ),
    "elastic_transform": Recipe(
        elastic_transform,
        cifar=(
            _stretch(32, 0, 0, 0.08),
            _stretch(32, 0.05, 0.2, 0.07),
            _stretch(32, 0.08, 0.06, 0.06),
            _stretch(32, 0.1, 0.04, 0.05),
            _stretch(32, 0.1, 0.03, 0.03),
        ),
        # 244, not 224: a slip in the reference that the published benchmark was made with.
        imagenet=(
            _stretch(244, 2, 0.7, 0.1),
            _stretch(244, 2, 0.08, 0.2),
            _stretch(244, 0.05, 0.01, 0.02),
            _stretch(244, 0.07, 0.01, 0.02),
            _stretch(244, 0.12, 0.01, 0.02),
        ),
    ),
    "pixelate": Recipe(
        pixelate,
        cifar=(0.95, 0.9, 0.85, 0.75, 0.65),
        imagenet=(0.6, 0.5, 0.4, 0.3, 0.25),
    ),
    "jpeg_compression": Recipe(
        jpeg_compression, cifar=(80, 65, 58, 50, 40), imagenet=(25, 18, 15, 10, 7)
    ),
}

EXTRA: dict[str, Recipe[Any]] = {
    "speckle_noise": Recipe(
        speckle_noise,
        cifar=(0.06, 0.1, 0.12, 0.16, 0.2),
        imagenet=(0.15, 0.2, 0.35, 0.45, 0.6),
    ),
    "gaussian_blur": Recipe(
        gaussian_blur,
        cifar=(0.4, 0.6, 0.7, 0.8, 1.0),
        imagenet=(1.0, 2.0, 3.0, 4.0, 6.0),
    ),
    "spatter": Recipe(
        spatter,
        cifar=(
            Splash(0.62, 0.1, 0.7, 0.7, 0.5, mud=False),
            Splash(0.65, 0.1, 0.8, 0.7, 0.5, mud=False),
            Splash(0.65, 0.3, 1, 0.69, 0.5, mud=False),
            Splash(0.65, 0.1, 0.7, 0.69, 0.6, mud=True),
            Splash(0.65, 0.1, 0.5, 0.68, 0.6, mud=True),
        ),
        imagenet=(
            Splash(0.65, 0.3, 4, 0.69, 0.6, mud=False),
            Splash(0.65, 0.3, 3, 0.68, 0.6, mud=False),
            Splash(0.65, 0.3, 2, 0.68, 0.5, mud=False),
            Splash(0.65, 0.3, 1, 0.65, 1.5, mud=True),
            Splash(0.67, 0.4, 1, 0.65, 1.5, mud=True),
        ),
    ),
    "saturate": Recipe(
        saturate,
        cifar=((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)),
        imagenet=((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2)),
    ),
}
