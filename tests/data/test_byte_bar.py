import io

import pytest
from rich.console import Console

from robust_tuning.data.byte_bar import byte_bar


def shown(total: int, *, terminal: bool = True) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    with byte_bar("Unpacking [red]lists", total, done=total // 4, console=console) as show:
        show(total // 2)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_shows_the_title_as_it_is_and_the_share() -> None:
    text = shown(1 << 30)
    assert "Unpacking [red]lists" in text
    assert "512.0/1024.0 MiB" in text or "0.5/1.0 GiB" in text


def test_nothing_is_shown_for_little_or_to_a_file() -> None:
    assert shown(1 << 20) == ""
    assert shown(1 << 30, terminal=False) == ""


def test_stdout_stays_clean(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # by which rich takes anything for a terminal
    with byte_bar("Reading", 1 << 30) as show:
        show(5)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Reading" in err
