from pathlib import Path

import pytest

from robust_tuning.cli.checking import parse_commands
from robust_tuning.errors import ConfigurationError

QUICKSTART = ["fit", "--config", "configs/quickstart.yaml"]


def test_commands_are_parsed_and_nothing_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lr = [*QUICKSTART, "--model.lr=0.5", "--seed_everything=3"]
    plain, changed = parse_commands([QUICKSTART, lr])
    assert (plain.model.lr, changed.model.lr) == (3e-3, 0.5)
    assert changed.model.seed == 3
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("place", [0, 1])
def test_what_is_wrong_in_any_of_them_is_named(place: int) -> None:
    commands = [QUICKSTART, QUICKSTART]
    commands[place] = [*QUICKSTART, "--model.strategy=LoRaa"]
    with pytest.raises(ConfigurationError, match="did you mean LoRA"):
        parse_commands(commands)
