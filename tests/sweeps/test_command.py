from typing import Any

import pytest

from robust_tuning.errors import ConfigurationError
from robust_tuning.sweeps.command import run_name, training_words
from tests.test_configs import words_of

FIT = ["robust-tuning", "fit", "--config", "x.yaml", "${args}"]


@pytest.mark.parametrize(
    "values",
    [
        {"model.strategy": "LoRA", "model.lr": 5e-4, "seed_everything": 1},
        {"data.domains": ["real", "sketch"], "trainer.deterministic": True, "model.x": None},
    ],
)
def test_words_are_those_of_wandbs_agent(values: dict[str, Any]) -> None:
    assert training_words(FIT, None, values) == words_of(FIT, values)[1:]


def test_macros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOT", "/data")
    command = ["${env}", "${interpreter}", "-m", "${program}", "fit", "--data.root=${envvar:ROOT}"]
    assert training_words(command, "robust_tuning", {}) == ["fit", "--data.root=/data"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ([], "is missing"),
        (["python", "train.py", "${args}"], r"train\.py.*expected \[robust-tuning, fit"),
        (["robust-tuning", "test", "${args}"], r"expected \[robust-tuning, fit"),
        (["robust-tuning", "fit", "${args_json}"], r"\$\{args_json\} is not taken"),
        ([*FIT, "--run", "mine"], "--run is chosen"),
        ([*FIT, "--ckpt_path=last"], "--ckpt_path is chosen"),
    ],
)
def test_what_cannot_be_run_is_named(command: list[str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"command: .*{said}"):
        training_words(command, None, {})


def test_names_are_folders() -> None:
    values = {"config": "configs/strategies/lora.yaml", "model.lr": 2e-5, "data.domains": ["a/b"]}
    assert run_name(12, values) == "012-lora-lr2e_05-domains_a_b"
    assert len(run_name(0, {"x": "y" * 500})) == 80
