"""What a backbone is made from."""

from dataclasses import dataclass, field
from typing import Any, Literal

from robust_tuning.errors import ConfigurationError

Perturb = Literal["input", "native"]
_ELSEWHERE = {"num_classes": "the benchmark", "img_size": "backbone.image_size"}


@dataclass(frozen=True)
class BackboneConfig:
    """A timm classifier and how images reach it.

    Args:
        name: Any timm model name (`vit_base_patch16_224.augreg_in21k`, `resnet50`),
            `hf-hub:ORG/NAME`, `local-dir:FOLDER`, or `glyph_vit_patch8_32`, the small model shipped
            with this package.
        pretrained: `true` for the published weights of that name, `false` for a seeded random
            initialisation, or the path of a local `.safetensors` or `.pth` file.
        image_size: Side of the square model input in pixels. None keeps the checkpoint's own;
            vision transformers resize their position embedding.
        perturb: Where an attack's perturbation lives. `input` (the study's): on the image as
            resized to the model's input. `native`: on the original pixels, resizing becomes the
            model's first layer (RobustBench's convention for CIFAR).
        kwargs: Further arguments for `timm.create_model`, such as `drop_path_rate`; `num_classes`
            and `img_size` are set from elsewhere.

    Raises:
        ConfigurationError: If `image_size` is not positive, or `kwargs` sets what is set elsewhere.
    """

    name: str = "glyph_vit_patch8_32"
    pretrained: bool | str = True
    image_size: int | None = None
    perturb: Perturb = "input"
    kwargs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.image_size is not None and self.image_size < 1:
            message = (
                f"backbone.image_size is {self.image_size}, expected a side in pixels such as 224"
            )
            raise ConfigurationError(message)
        if self.perturb not in ("input", "native"):
            message = f"backbone.perturb is {self.perturb!r}, expected 'input' or 'native'"
            raise ConfigurationError(message)
        for name, instead in _ELSEWHERE.items():
            if name in self.kwargs:
                message = f"backbone.kwargs sets {name}, which {instead} decides"
                raise ConfigurationError(message)
