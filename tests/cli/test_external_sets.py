import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robust_tuning.cli import external_sets
from robust_tuning.cli.external_sets import find_external
from robust_tuning.cli.shipped import shipped_root
from robust_tuning.data.external import CIFAR_10_1, CIFAR_10_C, EXTERNAL_SETS, STL_10, ExternalSet
from robust_tuning.errors import ConfigurationError
from tests.cli.conftest import Command
from tests.data.external.stored import described, lay_out_stl, noise, published
from tests.data.web import serving
from tests.layouts import pack


@pytest.mark.parametrize(
    ("name", "external"),
    [
        ("CIFAR10C", CIFAR_10_C),
        ("cifar-10-c", CIFAR_10_C),
        ("CIFAR-10.1", CIFAR_10_1),
        ("STL_10", STL_10),
        ("CIFAR10", None),
        ("my.module.STL10", None),
    ],
)
def test_a_set_is_found_by_its_name(name: str, external: ExternalSet | None) -> None:
    assert find_external(name, {"domains": None, "clutter": False}) is external


def test_settings_of_benchmarks_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="--write-skip means nothing to STL10"):
        find_external("stl10", {"skip": None, "write_skip": "x"})


@pytest.mark.parametrize("external", EXTERNAL_SETS, ids=lambda external: external.name)
def test_every_set_has_a_configuration(external: ExternalSet) -> None:
    text = (shipped_root() / "configs" / "shifts" / f"{external.name.lower()}.yaml").read_text()
    assert f"robust-tuning data prepare {external.name} --root data/" in text


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExternalSet:
    """STL-10 with 20 images, as a folder; known to the command."""
    folder = tmp_path / "stl10_binary"
    lay_out_stl(folder, noise(20, 96), np.arange(20) % 10, "test")
    made = published(STL_10, folder, {"test": (2,) * 10})
    monkeypatch.setattr(external_sets, "EXTERNAL_SETS", (made,))
    return made


def test_prepare_downloads_verifies_and_says_what_is_where(
    command: Command, tmp_path: Path, small: ExternalSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    pack(tmp_path / "all.tgz", tmp_path / "stl10_binary")
    with serving((tmp_path / "all.tgz").read_bytes()) as site:
        archive = described(tmp_path / "all.tgz", site.address, unpacks=("stl10_binary",))
        known = replace(small, remote=(archive,))
        monkeypatch.setattr(external_sets, "EXTERNAL_SETS", (known,))
        words = ("data", "prepare", "stl10", "--root", "new")
        absent = command(*words, "--no-download")
        assert (absent.status, absent.out) == (1, "all.tgz: not there\n")
        assert archive.description in absent.err
        answer = command(*words)
        assert answer.status == 0
        said = [
            f"STL10 is in {tmp_path / 'new' / 'stl10_binary'}",
            "  20 images in test",
            "next: lay configs/shifts/stl10.yaml over a configuration, with root: new",
        ]
        got = f"all.tgz: get {archive.size:,} bytes from {archive.url}"
        assert answer.out.splitlines() == [got, *said]
        assert command(*words).out.splitlines() == said
        assert site.paths == ["/all.tgz"]


def test_check_reads_every_file(command: Command, tmp_path: Path, small: ExternalSet) -> None:
    words = ("data", "check", "STL10", "--root", str(tmp_path))
    answer = command(*words)
    assert answer.status == 0
    assert "20 images read, ready for evaluation" in answer.out
    with (tmp_path / "stl10_binary" / "test_X.bin").open("r+b") as file:
        file.write(b"\0\1\2")
    answer = command(*words, "--json", "-")
    assert answer.status == 1
    report: dict[str, Any] = json.loads(answer.out)
    assert report["problems"]["wrong_checksum"]["count"] == 1
    assert "evaluation would be affected" in answer.err


def test_wrong_usage(command: Command) -> None:
    answer = command("data", "check", "STL10", "--root", "x", "--clutter")
    assert (answer.status, answer.out) == (2, "")
    assert "--clutter means nothing to STL10" in answer.err
    answer = command("data", "check", "nonsense", "--root", "x")
    assert "and to measure on: CIFAR10C, CIFAR100C, CIFAR101, STL10" in answer.err
