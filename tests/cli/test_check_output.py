import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from robust_tuning.cli.check_output import print_report, write_json, write_skip
from robust_tuning.data.check_report import (
    DUPLICATE,
    EMPTY,
    MISSING,
    NOT_RGB,
    TRUNCATED,
    UNREADABLE,
    Finding,
    ListSummary,
    Report,
)
from robust_tuning.data.skipping import read_skip_list
from robust_tuning.errors import DataError

TRAIN = ListSummary("train", 1596, 1600, 4, 5, 8.5, 23, ("wren", "crow", "tern", "kite"))
NOTHING = Report("CUB200", Path("birds"), 12, (), ())


def printed(*findings: Finding, lists: tuple[ListSummary, ...] = (TRAIN,)) -> str:
    report = Report("CUB200", Path("/data/[birds]"), 1592, lists, findings)
    console = Console(file=io.StringIO(), width=200)
    print_report(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def row(text: str, word: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if word in line)
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_lists() -> None:
    assert row(printed(), "train ")[:5] == ["train", "1,596", "1,600", "4", "5 / 8.5 / 23"]
    assert row(printed(), "train ")[5] == "crow, kite, tern and 1 more"


def test_the_verdict() -> None:
    clean = "CUB200 in /data/[birds]: 1,592 images read, ready for training"
    assert printed().splitlines()[-1] == clean
    assert printed(Finding(NOT_RGB, ("a",), "grey")).splitlines()[-1] == clean
    harmed = printed(Finding(EMPTY, ("a",)))
    assert harmed.splitlines()[-1].endswith("1,592 images read, training would be affected")
    assert "no list could be read" in printed(Finding(EMPTY, ("a",)), lists=())


def test_findings_have_a_count_and_a_few_examples() -> None:
    many = [Finding(TRUNCATED, (f"{n}.jpg",), "cut off") for n in range(1234)]
    text = printed(*many, Finding(DUPLICATE, ("a.jpg", "b.jpg"), "ant in train, ant in train"))
    assert row(text, "cut off or damaged") == [
        *("images that are cut off or damaged", "1,234", "yes", "0.jpg: cut off")
    ]
    assert "and 1,231 more" in text
    assert text.count("cut off\n") + text.count(": cut off ") == 3
    assert row(text, "equal images in one split") == [
        *("equal images in one split", "1", "no", "a.jpg, b.jpg: ant in train, ant in train")
    ]


def test_what_is_converted_is_counted_by_how_it_is_stored() -> None:
    stored = ["grey", "grey", "CMYK", "grey"]
    text = printed(*(Finding(NOT_RGB, (f"{n}.jpg",), how) for n, how in enumerate(stored)))
    assert "3 grey; 1 CMYK" in text


def test_names_are_no_markup_and_may_be_no_characters() -> None:
    text = printed(Finding(MISSING, ("[red]caf\udce9.jpg",)))
    assert r"[red]caf\udce9.jpg" in text
    text.encode()


def test_json_goes_to_a_file_or_to_the_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(NOTHING, str(tmp_path / "report.json"))
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"wrote {tmp_path / 'report.json'}\n")
    write_json(NOTHING, "-")
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == json.loads((tmp_path / "report.json").read_text())
    assert json.loads(out) == NOTHING.to_json()
    with pytest.raises(DataError, match="No such file"):
        write_json(NOTHING, str(tmp_path / "none" / "report.json"))


def test_images_to_leave_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    findings = (
        Finding(MISSING, ("d.jpg",)),
        Finding(TRUNCATED, ("c.jpg",), "cut off"),
        Finding(TRUNCATED, ("b.jpg",), "cut off"),
        Finding(EMPTY, ("e.jpg",)),
        Finding(UNREADABLE, ("f.jpg",)),
        Finding(NOT_RGB, ("x.jpg",)),
        Finding(DUPLICATE, ("y.jpg", "z.jpg")),
    )
    target = tmp_path / "leave out.txt"
    report = Report("CUB200", Path("birds"), 9, (), findings)
    write_skip(report, None, target)
    assert read_skip_list(str(target)) == {f"{name}.jpg" for name in "bcdef"}
    said = capsys.readouterr().err
    assert "(CUB200: 1 missing, 1 empty, 2 truncated, 1 unreadable)" in said
    assert f"--data.skip '{target}'" in said


def test_what_was_left_out_stays_so(tmp_path: Path) -> None:
    target = tmp_path / "skip.txt"
    target.write_text("# by hand\nold.jpg\n")
    report = Report("CUB200", Path("birds"), 9, (), (Finding(EMPTY, ("new.jpg",)),))
    write_skip(report, str(target), target)
    assert read_skip_list(str(target)) == {"old.jpg", "new.jpg"}
    assert target.read_text().startswith("# CUB200: 1 empty, 1 left out before\n")


def test_nothing_to_leave_out(tmp_path: Path) -> None:
    write_skip(NOTHING, None, tmp_path / "skip.txt")
    assert read_skip_list(str(tmp_path / "skip.txt")) == frozenset()
    with pytest.raises(DataError, match="No such file"):
        write_skip(NOTHING, None, tmp_path / "none" / "skip.txt")
