"""What the README shows works."""

import re
from pathlib import Path

import pytest
import torch

from robust_tuning.strategies import Strategy
from tests.runs import make_data, make_tuner

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)


def test_the_plugin_example_adapts_a_backbone() -> None:
    scope: dict[str, object] = {}
    exec(BLOCKS[0], scope)
    strategy = scope["NormTuning"]
    assert isinstance(strategy, type)
    assert issubclass(strategy, Strategy)
    tuner = make_tuner(strategy())
    trained = {name for name, p in tuner.backbone.named_parameters() if p.requires_grad}
    assert {"net.blocks.0.norm1.weight", "net.norm.bias", "net.head.weight"} <= trained
    assert not any("attn" in name or "mlp" in name for name in trained)


def test_the_evaluation_example_gives_a_robust_accuracy() -> None:
    torch.manual_seed(0)
    data = make_data()
    loader = data.evaluation_loader(data.evaluation_examples("validation", 12))
    scope: dict[str, object] = {"model": make_tuner().backbone, "loader": loader}
    exec(BLOCKS[1].replace("\noutcomes.robust", "\nvalue = outcomes.robust"), scope)
    value = scope["value"]
    assert isinstance(value, float)
    assert 0 <= value <= 1


@pytest.mark.parametrize("path", re.findall(r"\]\(([\w./-]+)\)", README.read_text()))
def test_links_lead_somewhere(path: str) -> None:
    assert (README.parent / path).exists()
