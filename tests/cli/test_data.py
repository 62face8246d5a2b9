import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from robust_tuning.data import CIFAR10, CUB200, Caltech256, DomainNet
from robust_tuning.data.class_lists import read_classes
from robust_tuning.types import ImageInput
from tests.cli.conftest import Command
from tests.data.damage import damage, encoded, noise
from tests.data.own_benchmarks import FewBirds
from tests.data.packing import remote
from tests.data.small_benchmarks import lay_out
from tests.data.web import serving
from tests.layouts import pack

BIRDS = "tests.data.own_benchmarks.FewBirds"
SIZES = ("--expected", "train=60", "test=12")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    lay_out(CUB200, tmp_path / "birds")
    return tmp_path / "birds"


def problems(report: dict[str, Any]) -> dict[str, set[tuple[str, ...]]]:
    found = {
        kind: {tuple(finding["files"]) for finding in problem["findings"]}
        for kind, problem in report["problems"].items()
    }
    counts = {kind: problem["count"] for kind, problem in report["problems"].items()}
    assert counts == {kind: len(files) for kind, files in found.items()}
    return {kind: files for kind, files in found.items() if files}


def test_files_in_order(command: Command, root: Path) -> None:
    answer = command("data", "check", "cub200", "--root", str(root), *SIZES, "--workers", "2")
    assert answer.status == 0
    assert "72 images read, ready for training" in answer.out
    assert answer.err == ""


def test_the_figures_are_what_was_done_to_the_files(
    command: Command, root: Path, tmp_path: Path
) -> None:
    words = ("data", "check", "CUB200", "--root", str(root), *SIZES, "--workers", "0")
    before = json.loads(command(*words, "--json", "-").out)
    listings = CUB200(str(root), expected={"train": 60, "test": 12}).listings()
    done, _ = damage(root / "CUB_200_2011", listings["train"], listings["test"])
    answer = command(*words, "--json", "-", "--write-skip", "skip.txt")
    assert answer.status == 1
    report = json.loads(answer.out)
    found = problems(report)
    found["not_rgb"] -= problems(before)["not_rgb"]
    assert found == done
    assert (report["affects_training"], before["affects_training"]) == (True, False)
    assert "training would be affected" in answer.err, "the tables make way for the JSON"
    for kind in done:
        meaning = report["problems"][kind]["meaning"]
        assert meaning in answer.err
    assert "(CUB200: 1 missing, 1 empty, 3 truncated, 3 unreadable)" in answer.err
    again = command(*words, "--skip", "skip.txt", "--json", "report.json")
    assert again.status == 0
    skipping = json.loads((tmp_path / "report.json").read_text())
    assert (skipping["images"], skipping["lists"]["train"]["skipped"]) == (72 - 8, 8)


def test_the_list_that_it_writes_makes_training_work(command: Command, tmp_path: Path) -> None:
    for split, n in (("train", 12), ("test", 3)):
        for number in range(2 * n):
            path = tmp_path / "own" / split / ("ant", "bee")[number % 2] / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(noise(number + 100 * n)))
    (tmp_path / "own" / "train" / "ant" / "4.jpg").write_text("no image")
    (tmp_path / "own" / "test" / "bee" / "1.jpg").write_bytes(b"")
    words = ("data", "check", "ImageFolder", "--root", "own", "--workers", "0")
    assert command(*words, "--write-skip", "skip.txt").status == 1
    assert (tmp_path / "skip.txt").read_text().splitlines()[1:] == [
        *("test/bee/1.jpg", "train/ant/4.jpg")
    ]
    for skip, fits in ((None, False), ("skip.txt", True)):
        data = image_folder(tmp_path / "own", skip)
        if fits:
            assert sum(len(batch.labels) for batch in data.train_dataloader()) == 21
            assert sum(len(batch.labels) for batch in data.test_dataloader()) == 5
        else:
            with pytest.raises(Exception, match="cannot be decoded"):
                list(data.test_dataloader())


def image_folder(root: Path, skip: str | None) -> Any:
    from robust_tuning.data import ImageFolder

    data = ImageFolder(str(root), skip=skip, num_workers=0)
    data.match(ImageInput(size=8))
    return data


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["check", "CUB", "--root", "x"], "did you mean CUB200? known: CIFAR10, "),
        (["check", "CUB200", "--root", "x", "--clutter"], "--clutter means nothing to CUB200"),
        (["check", "CIFAR10", "--root", "x", "--skip", "y"], "--skip means nothing to CIFAR10"),
        (["check", "CIFAR10", "--root", "x", "--write-skip", "y"], "takes no list to skip"),
        (["check", "DomainNet", "--root", "x", "--domains", "photo"], "there is no 'photo'"),
        (["check", "CUB200"], "--root"),
        (["check", "CUB200", "--root", "x", "--expected", "train"], "train=596"),
        (["check", "CUB200", "--root", "x", "--workers", "-1"], "0 or more"),
        (["prepare", "ImageFolder", "--root", "x"], "put them in place yourself"),
        (["prepare", "CUB200", "--root", "x", "--domains", "real"], "means nothing to CUB200"),
        (["repair", "CUB200"], "invalid choice: 'repair'"),
        ([], "ACTION"),
    ],
)
def test_wrong_usage_is_two(command: Command, words: list[str], told: str) -> None:
    answer = command("data", *words)
    assert answer.status == 2
    assert answer.out == ""
    assert told in answer.err


def test_what_cannot_be_read_or_written_is_one_line(command: Command, root: Path) -> None:
    words = ("data", "check", "CUB200", "--root", str(root), *SIZES, "--workers", "0")
    for more in (("--json", "none/x.json"), ("--skip", "none.txt"), ("--write-skip", "none/x.txt")):
        answer = command(*words, *more)
        assert answer.status == 1
        assert len(answer.err.splitlines()) == 1
        assert more[1] in answer.err


def test_an_empty_folder(command: Command, tmp_path: Path) -> None:
    answer = command("data", "check", "CUB200", "--root", str(tmp_path))
    assert answer.status == 1
    assert "CUB_200_2011" in answer.out
    assert "no list could be read" in answer.out


def test_clutter_and_domains_are_passed_on(command: Command, tmp_path: Path) -> None:
    lay_out(Caltech256, tmp_path / "things")
    words = ("data", "check", "--workers", "0", "--json", "-")
    things = (*words, "caltech256", "--root", "things", "--expected")
    assert json.loads(command(*things, "all=360").out)["images"] == 360
    with_clutter = command(*things, "all=480", "--clutter")
    assert (with_clutter.status, json.loads(with_clutter.out)["images"]) == (0, 480)
    lay_out(DomainNet, tmp_path / "domains")
    domains = (*words, "domainnet", "--root", "domains", "--expected")
    chosen = command(*domains, "real_train=60", "real_test=12", "--domains", "real")
    assert (chosen.status, json.loads(chosen.out)["images"]) == (0, 72)
    every = json.loads(command(*domains, "real_train=60", "real_test=12").out)
    absent = problems(every)["absent"]
    assert {("infograph",), ("painting",), ("quickdraw",)} < absent
    assert not {("real",), ("sketch",), ("clipart",)} & absent


def test_rows_are_checked_too(command: Command, tmp_path: Path) -> None:
    lay_out(CIFAR10, tmp_path)
    words = ("data", "check", "CIFAR10", "--root", str(tmp_path), "--json", "-")
    answer = command(*words, "--expected", "train=200", "test=40")
    assert (answer.status, json.loads(answer.out)["images"]) == (0, 240)
    assert command(*words).status == 1


def published(root: Path, monkeypatch: pytest.MonkeyPatch, address: str = "") -> bytes:
    """Pack the birds, and let the benchmark know its archive."""
    pack(root / "birds.tgz", root / "CUB_200_2011")
    content = (root / "birds.tgz").read_bytes()
    address = address or "http://127.0.0.1:9"
    archive = remote("birds.tgz", content, address, unpacks=("CUB_200_2011",), max_unpacked=1 << 30)
    monkeypatch.setattr(FewBirds, "archive", archive)
    return content


def test_prepare_downloads_and_says_what_is_where(
    command: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(b"") as site:
        site.content = published(root, monkeypatch, site.address)
        words = ("data", "prepare", BIRDS, "--root", "new folder")
        answer = command(*words)
        assert answer.status == 0
        home = tmp_path / "new folder" / "CUB_200_2011"
        url = f"{site.address}/birds.tgz"
        assert answer.out.splitlines() == [
            f"birds.tgz: get {len(site.content):,} bytes from {url}",
            f"FewBirds is in {home}",
            "  54 train, 6 validation, 12 test",
            f"next: robust-tuning fit --config YOURS.yaml --data {BIRDS} --data.root 'new folder'",
        ]
        assert len(list(home.rglob("*.jpg"))) == 72
        again = command(*words)
        assert (again.status, again.out.splitlines()) == (0, answer.out.splitlines()[1:])
        assert site.paths == ["/birds.tgz"]
    checked = command("data", "check", BIRDS, "--root", "new folder", "--workers", "0")
    assert checked.status == 0


def test_prepare_without_downloading(
    command: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(root, monkeypatch)
    words = ("data", "prepare", BIRDS, "--no-download", "--root")
    answer = command(*words, str(root))
    assert answer.status == 0
    assert answer.out.splitlines()[0] == "birds.tgz: unpack it"
    assert (root / "CUB_200_2011").is_dir()
    absent = command(*words, str(tmp_path / "empty"))
    assert absent.status == 1
    assert absent.out == "birds.tgz: not there\n"
    assert f"{tmp_path / 'empty'} lacks 1 of 1 files" in absent.err
    assert "Traceback" not in absent.err


def test_prepare_ends_with_a_command_for_every_domain(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(DomainNet, tmp_path)
    monkeypatch.setattr(
        "robust_tuning.data.domainnet._images", lambda _, half: {"train": 60, "test": 12}[half]
    )
    answer = command(
        *("data", "prepare", "domainnet", "--root", str(tmp_path), "--domains", "sketch", "real")
    )
    assert answer.status == 0
    assert answer.out.splitlines()[1:3] == [
        "  sketch: 54 train, 6 validation, 12 test",
        "  real: 54 train, 6 validation, 12 test",
    ]
    assert shlex.split(answer.out.splitlines()[3])[-4:] == [
        *("--data.domains", "[real]", "--data.ood_domains", "[sketch]")
    ]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from robust_tuning.cli.main import main\n"
        "assert main(['data', 'check', '--help']) == 0\n"
        "assert main(['data', 'check', 'CUB200']) == 2\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for option in ("--root", "--domains", "--clutter", "--skip", "--expected", "--json"):
        assert option in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the workers below /proc")
def test_an_interrupt_ends_every_process(tmp_path: Path) -> None:
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(encoded(noise(0, side=1500)))
    for split in ("train", "test"):
        for name in ("ant", "bee"):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for number in range(500):
                (folder / f"{number}.jpg").hardlink_to(picture)
    words = ("data", "check", "ImageFolder", "--root", str(tmp_path), "--workers", "2")
    process = subprocess.Popen(
        [sys.executable, "-m", "robust_tuning", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until = time.monotonic() + 120
    while len(children.read_text().split()) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "robust-tuning: interrupted\n")
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_the_classes_of_the_layout_are_the_benchmarks(command: Command, root: Path) -> None:
    report = json.loads(
        command(
            *("data", "check", "CUB200", "--root", str(root), *SIZES),
            *("--workers", "0", "--json", "-"),
        ).out
    )
    empty = report["lists"]["test"]["empty_classes"]
    assert empty == [name.partition(".")[2] for name in read_classes("cub200")[3:]]
