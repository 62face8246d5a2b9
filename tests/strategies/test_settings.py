"""The files in configs/strategies."""

from pathlib import Path

import pytest
from jsonargparse import ArgumentParser

from robust_tuning.strategies import Strategy

FOLDER = Path(__file__).parents[2] / "configs" / "strategies"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_one_file_per_strategy_with_the_studys_settings(file: Path) -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--model.strategy", type=Strategy)
    parser.add_argument("--model.lr", type=float)
    parser.add_argument("--model.weight_decay", type=float)
    parser.add_argument("--model.lr_scheduler", type=dict)
    model = parser.parse_path(file).model
    kind = model.strategy.class_path.rpartition(".")[2]
    assert file.stem == {"LinearProbe": "linear_probe", "FullFineTuning": "full_fine_tuning"}.get(
        kind, kind.lower()
    )
    full = kind == "FullFineTuning"
    assert (model.lr, model.weight_decay) == ((2e-5, 0.01) if full else (5e-3, 0.0))
    assert model.lr_scheduler == {
        "class_path": "LinearDecay" if full else "CosineDecay",
        "init_args": {"warmup_steps": 0 if full else 800},
    }


def test_every_strategy_has_a_file() -> None:
    assert len(FILES) == 7
