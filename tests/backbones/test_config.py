from typing import Any

import pytest

from robust_tuning.backbones import BackboneConfig
from robust_tuning.errors import ConfigurationError


def test_the_default_needs_no_network() -> None:
    config = BackboneConfig()
    assert (config.name, config.pretrained, config.perturb) == (
        "glyph_vit_patch8_32",
        True,
        "input",
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"image_size": 0}, "image_size is 0, expected a side in pixels"),
        ({"perturb": "pixels"}, "'pixels', expected 'input' or 'native'"),
        ({"kwargs": {"num_classes": 5}}, "kwargs sets num_classes, which the benchmark decides"),
        ({"kwargs": {"img_size": 96}}, "kwargs sets img_size, which backbone.image_size decides"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        BackboneConfig(**settings)
