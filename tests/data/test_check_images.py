import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robust_tuning.data.check_images import Examined, examine, examine_all
from robust_tuning.data.check_report import NOT_RGB
from robust_tuning.data.decoding import decode
from robust_tuning.data.image_files import ImagePaths
from robust_tuning.errors import DataError
from tests.data.damage import CONVERTED, UNUSABLE, encoded, noise


def examined(folder: Path, content: bytes) -> Examined:
    (folder / "image.jpg").write_bytes(content)
    return examine(ImagePaths(folder, ["image.jpg"]), 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_an_upright_rgb_image_is_in_order(tmp_path: Path, kind: str) -> None:
    found = examined(tmp_path, encoded(noise(0), kind))
    assert found[:2] == (None, "")
    assert found.digest is not None


@pytest.mark.parametrize("kind", UNUSABLE)
def test_what_cannot_be_trained_on_is_called_by_its_name(tmp_path: Path, kind: str) -> None:
    for what, content in UNUSABLE[kind].items():
        with pytest.raises(DataError):
            decode(content, what)
        found = examined(tmp_path, content)
        assert found.kind is not None
        assert (what, found.kind.name, found.digest) == (what, kind, None)
        assert "0x" not in found.detail, "no address of an object"


def test_details_say_what_is_wrong(tmp_path: Path) -> None:
    unreadable, cut = UNUSABLE["unreadable"], UNUSABLE["truncated"]
    assert "begins with b'<html>404 Not Fo'" in examined(tmp_path, unreadable["text"]).detail
    assert "more than 8 bits per channel" in examined(tmp_path, unreadable["16 bits"]).detail
    assert "truncated" in examined(tmp_path, cut["jpeg"]).detail
    assert examined(tmp_path, cut["jpeg header"]).detail == "its header is incomplete"


@pytest.mark.parametrize("name", CONVERTED)
def test_what_is_converted_says_from_what(tmp_path: Path, name: str) -> None:
    found = examined(tmp_path, CONVERTED[name])
    assert found[:2] == (NOT_RGB, name)
    assert found.digest is not None


def test_grey_and_rotated(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    content = encoded(noise(0).convert("L"), exif=exif)
    assert examined(tmp_path, content).detail == "grey, rotated"


def test_an_image_too_large_to_decode_is_no_truncated_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    found = examined(tmp_path, encoded(noise(0), "PNG"))
    assert found.kind is not None
    assert found.kind.name == "unreadable"
    assert "exceeds limit" in found.detail


def test_what_is_not_there_and_what_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "file").touch()
    images = ImagePaths(tmp_path, ["none.jpg", "none/none.jpg", "file/none.jpg", "folder.jpg"])
    kinds = [found.kind.name for found in (examine(images, i) for i in range(4)) if found.kind]
    assert kinds == ["missing", "missing", "missing", "unreadable"]


def test_only_equal_files_have_equal_digests(tmp_path: Path) -> None:
    one, two = (encoded(noise(seed)) for seed in (0, 1))
    assert examined(tmp_path, one).digest == examined(tmp_path, one).digest
    assert examined(tmp_path, one).digest != examined(tmp_path, two).digest
    assert examined(tmp_path, one).digest != examined(tmp_path, one + b" ").digest


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_image_is_read_in_its_place(tmp_path: Path, workers: int) -> None:
    files = [f"{number}.png" for number in range(50)]
    for number, file in enumerate(files):
        pixels = np.full((4, 4, 3) if number % 7 else (4, 4), number, np.uint8)
        Image.fromarray(pixels).save(tmp_path / file)
    (tmp_path / files[33]).unlink()
    found = examine_all(ImagePaths(tmp_path, files), workers)
    kinds = [one.kind.name if one.kind else "" for one in found]
    expected = ["" if number % 7 else "not_rgb" for number in range(50)]
    expected[33] = "missing"
    assert kinds == expected
    assert len({one.digest for one in found}) == 50
    assert [one.digest is None for one in found] == [number == 33 for number in range(50)]


def test_no_image_at_all(tmp_path: Path) -> None:
    assert examine_all(ImagePaths(tmp_path, []), 2) == []


def test_more_workers_than_processors_are_no_reason_to_warn(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    workers = (os.cpu_count() or 1) + 2
    found = examine_all(ImagePaths(tmp_path, ["a.png"] * workers), workers)
    assert [one.kind for one in found] == [None] * workers
