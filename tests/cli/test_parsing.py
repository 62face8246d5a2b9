"""What the messages of jsonargparse become; whole command lines are in test_errors."""

from pathlib import Path

import pytest

from robust_tuning.cli.parsing import explain, explain_instantiation, with_shipped_configs
from robust_tuning.cli.shipped import shipped_root
from robust_tuning.errors import ConfigurationError

OPTIONS = {"--help", "--config", "--model.lr", "--model.strategy", "--trainer.max_epochs"}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            'Parser key "model.strategy":\n  Expected a dot import path string: LoRAA',
            "--model.strategy: unknown name 'LoRAA'; did you mean LoRA? known: Adapter",
        ),
        ("Parser key \"a.b\":\n  Option 'lrr' is not accepted", "--a.b: unknown setting 'lrr'"),
        ("unrecognized arguments: --model.lrr 3", "unknown key 'model.lrr'; similar: model.lr"),
        (
            "Subcommand 'fit' does not accept option 'trainer.max_epoch'",
            "unknown key 'trainer.max_epoch'; similar: trainer.max_epochs",
        ),
        (
            "Parser key \"x\":\n Expected a typing.Literal['a', 'b']. Got value: c",
            "--x: got c, expected one of 'a', 'b'",
        ),
        ("Parser key \"x\": Expected a <class 'int'>. Got value: y", "--x: got 'y', expected int"),
        (
            "Parser key \"n\": Expected a <class 'int'> - Expected a typing.Literal['all']. "
            "Got value: some",
            "--n: got some, expected one of 'all' or a whole number",
        ),
        (
            "Parser key \"ood.shifts\":\n Errors: - Expected a <class 'list'> "
            "Given value: Corruption",
            "--ood.shifts: got 'Corruption', expected a list: --ood.shifts+=Corruptions adds one; "
            "known: CIFAR101, Corruptions",
        ),
        ("something\n  else", "something else"),
    ],
)
def test_a_message_becomes_one_line_with_key_and_alternatives(message: str, expected: str) -> None:
    line = explain(message, None, OPTIONS)
    assert line.startswith(expected)
    assert "\n" not in line


def test_an_error_of_ours_keeps_its_words() -> None:
    ours = ConfigurationError("rank is -1, expected 1 or more")
    wrapped = ValueError("Does not validate")
    wrapped.__cause__ = ours
    assert explain('Parser key "model.strategy": x', wrapped, OPTIONS).endswith(str(ours))
    assert explain_instantiation(wrapped) == str(ours)


def test_the_telling_reason_of_a_union_is_chosen() -> None:
    error = ValueError(
        "Does not validate\nErrors:\n  - Expected a path but x\n  - size is 0\n"
        "  - Expected a <class 'NoneType'>"
    )
    assert explain_instantiation(error) == "size is 0"


def test_shipped_files_stand_in_for_missing_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text("model: {}")
    words = ["fit", "--config", "configs/quickstart.yaml", "--config=own.yaml", "--model.lr", "1"]
    found = with_shipped_configs(words)
    assert found[2] == str(shipped_root() / "configs" / "quickstart.yaml")
    assert [found[0], found[1], *found[3:]] == [words[0], words[1], *words[3:]]
    assert "quickstart.yaml" in capsys.readouterr().out
