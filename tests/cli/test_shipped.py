from pathlib import Path

import pytest

from robust_tuning.cli.shipped import find_config, find_sweep, shipped_configs, shipped_root
from robust_tuning.errors import ConfigurationError
from tests.cli.conftest import Command


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ["configs/quickstart.yaml", "quickstart.yaml"])
def test_a_shipped_file_is_found_from_anywhere(name: str) -> None:
    assert find_config(name) == shipped_root() / "configs/quickstart.yaml"
    assert find_config("strategies/lora.yaml") == shipped_root() / "configs/strategies/lora.yaml"


def test_a_file_that_is_here_comes_first() -> None:
    Path("quickstart.yaml").write_text("model: {}\n")
    assert find_config("quickstart.yaml") == Path("quickstart.yaml")


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("mine.yaml").write_text("model: {}\n")
    assert find_config("~/mine.yaml") == tmp_path / "mine.yaml"


@pytest.mark.parametrize(
    "name", ["nope.yaml", "configs/nope.yaml", "/configs/quickstart.yaml", "configs"]
)
def test_a_file_that_is_nowhere_is_answered_with_the_shipped_ones(name: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        find_config(name)
    assert f"--config {name}: no such file" in str(error.value)
    for known in shipped_configs():
        assert known in str(error.value)


def test_the_command_says_which_file_it_took(command: Command) -> None:
    for words in (["--config", "quickstart.yaml"], ["--config=quickstart.yaml"]):
        answer = command("fit", *words, "--adversarial.n", "0")
        assert f"quickstart.yaml: the shipped {shipped_root()}" in answer.out
        assert answer.status == 2
        assert "n is 0" in answer.err
    answer = command("fit", "--config", "nope.yaml")
    assert answer.status == 2
    assert "configs/quickstart.yaml" in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("name", ["sweeps/quickstart.yaml", "quickstart.yaml"])
def test_a_shipped_sweep_is_found_from_anywhere(name: str) -> None:
    assert find_sweep(name) == shipped_root() / "sweeps/quickstart.yaml"
    Path("quickstart.yaml").write_text("method: grid\n")
    assert find_sweep("quickstart.yaml") == Path("quickstart.yaml")
    with pytest.raises(ConfigurationError, match=r"mine\.yaml.*sweeps/bayes\.yaml"):
        find_sweep("elsewhere/mine.yaml")
