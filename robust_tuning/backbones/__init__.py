"""Pretrained classifiers that take pixels in [0, 1]; normalisation is their first layer."""

from robust_tuning.backbones import glyph_vit as glyph_vit  # registers the shipped model with timm
from robust_tuning.backbones.backbone import Backbone
from robust_tuning.backbones.config import BackboneConfig, Perturb
from robust_tuning.backbones.loading import create_backbone
from robust_tuning.backbones.preprocessing import Normalize, Resize
from robust_tuning.backbones.weights import BackboneIdentity, hash_weights

__all__ = [
    "Backbone",
    "BackboneConfig",
    "BackboneIdentity",
    "Normalize",
    "Perturb",
    "Resize",
    "create_backbone",
    "hash_weights",
]
