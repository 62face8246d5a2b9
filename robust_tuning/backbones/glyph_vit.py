"""The quickstart backbone: a small ViT pretrained on rendered glyphs, its weights in this package.

Importing this module makes ``glyph_vit_patch8_32`` known to timm, as a stock
``VisionTransformer``: 32 x 32 pixels, patches of 8, width 128, depth 4, 0.56 million parameters.
"""

from pathlib import Path
from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn

__all__ = ["WEIGHTS_FILE", "glyph_vit_patch8_32"]

WEIGHTS_FILE = Path(__file__).with_name("glyph_vit_patch8_32.safetensors")
"""The shipped weights, float16; timm reads them into float32 parameters."""

# timm's `register_model` looks this name up in the module of the function it decorates.
default_cfgs = generate_default_cfgs(
    {
        "glyph_vit_patch8_32.glyphs": {
            "file": str(WEIGHTS_FILE),
            "input_size": (3, 32, 32),
            "num_classes": 47,
            "mean": (0.5, 0.5, 0.5),
            "std": (0.5, 0.5, 0.5),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "first_conv": "patch_embed.proj",
            "classifier": "head",
            "license": "mit",
            "description": "Pretrained on distorted renderings of Latin letters and digits.",
        }
    }
)


def glyph_vit_patch8_32(
    pretrained: bool = False,
    **kwargs: Any,  # noqa: ANN401 - timm's signature for an entry point
) -> VisionTransformer:
    """Build the quickstart ViT; call it through ``timm.create_model``.

    Args:
        pretrained: Load the shipped weights. A head of another size than the upstream one, or
            another ``img_size``, is adapted as timm does for every model.
        **kwargs: Settings of timm's ``VisionTransformer``.

    Returns:
        The model, from images normalised by mean 0.5 and deviation 0.5, float32 of shape
        ``(B, 3, 32, 32)``, to logits ``(B, num_classes)``.

    Examples:
        >>> import timm
        >>> model = timm.create_model("glyph_vit_patch8_32", pretrained=True, num_classes=10)
        >>> model.head
        Linear(in_features=128, out_features=10, bias=True)
    """
    settings = {"img_size": 32, "patch_size": 8, "embed_dim": 128, "depth": 4, "num_heads": 4}
    return build_model_with_cfg(
        VisionTransformer,
        "glyph_vit_patch8_32",
        pretrained,
        pretrained_filter_fn=checkpoint_filter_fn,
        feature_cfg={"out_indices": 3, "feature_cls": "getter"},
        **{**settings, "mlp_ratio": 2.0, **kwargs},
    )


register_model(glyph_vit_patch8_32)
