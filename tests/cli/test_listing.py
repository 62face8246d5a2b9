import inspect

import pytest

from robust_tuning.attacks import Adversary
from robust_tuning.cli.main import main
from robust_tuning.cli.plugins import BASES, concrete_subclasses, known_plugins
from robust_tuning.cli.shipped import shipped_configs
from robust_tuning.lr_schedules import CosineDecay
from robust_tuning.strategies import BitFit, Strategy


@pytest.mark.parametrize(
    ("kind", "key", "names"),
    [
        ("strategies", "model.strategy", ["BitFit", "Compacter", "FullFineTuning", "LoRA"]),
        ("attacks", "adversarial.attack", ["PGD"]),
        ("benchmarks", "data", ["Digits", "ImageArrays", "ImageFolder"]),
        ("objectives", "model.objective", ["CrossEntropy"]),
    ],
)
def test_a_kind(kind: str, key: str, names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", kind]) == 0
    printed = capsys.readouterr().out
    assert f"--{key} NAME" in printed
    listed = [line.split()[0] for line in printed.splitlines() if line.strip()]
    assert set(names) <= set(listed)
    assert set(names) <= set(known_plugins(key))
    base = BASES[key]
    assert base.__name__ not in listed


def test_all_kinds_and_the_configurations(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    for name in ("LoRA", "PGD", "Digits", "CrossEntropy", *shipped_configs()):
        assert name in printed


def test_an_unknown_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "strategys"]) == 2
    assert "strategies" in capsys.readouterr().err


def test_somebody_elses_plugin_is_known_once_it_is_imported() -> None:
    class Mine(BitFit):
        """A strategy of somebody else's."""

    class _Hidden(BitFit):
        pass

    assert "Mine" in known_plugins("model.strategy")
    assert "_Hidden" not in known_plugins("model.strategy")
    assert not any(inspect.isabstract(cls) for cls in concrete_subclasses(Strategy))
    assert not any(inspect.isabstract(cls) for cls in concrete_subclasses(Adversary))
    assert known_plugins("model.lr") == []


def test_optimisers_are_torchs_and_ours_alone() -> None:
    assert "AdamW" in known_plugins("model.optimizer")
    assert CosineDecay.__name__ in known_plugins("model.lr_scheduler")
    import accelerate.utils  # type: ignore[import-untyped]  # noqa: F401  wraps optimisers

    for key in ("model.optimizer", "model.lr_scheduler"):
        for cls in concrete_subclasses(BASES[key]):
            assert cls.__module__.startswith(("torch.", "robust_tuning."))
