import subprocess
import sys

import pytest

import robust_tuning
from robust_tuning.cli.main import main


def test_help_names_every_verb_and_where_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr()
    for verb in ("fit", "validate", "test", "evaluate", "data", "frontier", "list"):
        assert f"  {verb} " in printed.out
    assert "robust-tuning fit --config configs/quickstart.yaml" in printed.out
    assert printed.err == ""


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"robust-tuning {robust_tuning.__version__}\n"


@pytest.mark.parametrize("words", [["fitt"], [], ["--fit"]])
def test_a_wrong_verb_is_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "usage: robust-tuning" in printed.err


def test_a_wrong_verb_answers_with_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fitt"])
    said = capsys.readouterr().err
    assert all(verb in said for verb in ("'fitt'", "fit", "validate", "test", "frontier", "list"))


def test_help_of_a_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["fit", "--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert "--run RUN" in printed
    assert "--model.strategy" in printed
    assert "--adversarial.n" in printed


def test_an_interrupt_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("robust_tuning.cli.frontier.main", interrupted)
    assert main(["frontier", "x"]) == 130
    assert capsys.readouterr().err == "robust-tuning: interrupted\n"


CHEAP = """
import sys
from robust_tuning.__main__ import main
status = main({words})
heavy = [name for name in ("torch", "lightning", "timm", "numpy", "wandb") if name in sys.modules]
assert not heavy, heavy
assert status == {status}
assert len(sys.modules) < 250, len(sys.modules)
"""


@pytest.mark.parametrize(
    ("words", "status"), [(["--help"], 0), (["--version"], 0), (["fitt"], 2)], ids=str
)
def test_the_front_door_loads_next_to_nothing(words: list[str], status: int) -> None:
    code = CHEAP.format(words=words, status=status)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_the_package_lists_its_public_names_without_loading_them() -> None:
    code = (
        "import sys, robust_tuning as r; names = dir(r); assert 'torch' not in sys.modules;"
        "assert set(names) == set(r.__all__); assert 'RobustTuner' in names"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_every_public_name_is_there() -> None:
    for name in robust_tuning.__all__:
        assert getattr(robust_tuning, name).__doc__ or name == "__version__"
    with pytest.raises(AttributeError, match="no attribute 'RobustTunr'"):
        _ = robust_tuning.RobustTunr


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "robust_tuning", "fitt"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "usage: robust-tuning" in ended.stderr
