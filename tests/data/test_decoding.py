import io
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from robust_tuning.data import decoding
from robust_tuning.data.decoding import decode, is_rgb
from robust_tuning.data.views import CentreCrop
from robust_tuning.errors import DataError
from robust_tuning.types import ImageInput
from tests.data.pictures import UPRIGHT, corners, quarters


def read(file: Path) -> NDArray[np.uint8]:
    pixels = decode(file.read_bytes(), str(file))
    assert pixels.shape[0] == 3
    upright: NDArray[np.uint8] = pixels.permute(1, 2, 0).numpy()
    return upright


@pytest.mark.parametrize("ending", ["png", "bmp", "tiff", "webp", "jpg"])
def test_formats_become_upright_rgb(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"image.{ending}"
    quarters().save(file, lossless=True)
    found = np.array(corners(read(file)), dtype=int)
    assert np.abs(found - np.array(UPRIGHT)).max() <= (8 if ending == "jpg" else 0)


def test_grey_images_become_rgb(tmp_path: Path) -> None:
    file = tmp_path / "grey.png"
    Image.fromarray(np.full((16, 16), 77, np.uint8)).save(file)
    assert (read(file) == 77).all()


def test_black_and_white_images_become_rgb(tmp_path: Path) -> None:
    file = tmp_path / "bits.png"
    quarters().convert("1").save(file)
    assert set(np.unique(read(file))) == {0, 255}


@pytest.mark.parametrize("transparency", [None, 0, bytes([0, 128, 255])])
def test_palette_images_become_rgb(tmp_path: Path, transparency: int | bytes | None) -> None:
    file = tmp_path / "palette.png"
    settings = {} if transparency is None else {"transparency": transparency}
    quarters().quantize(8).save(file, **settings)  # type: ignore[arg-type]  # PNG's own
    assert corners(read(file)) == UPRIGHT


def test_transparency_is_dropped(tmp_path: Path) -> None:
    file = tmp_path / "clear.png"
    image = quarters().convert("RGBA")
    image.putalpha(128)
    image.save(file)
    assert corners(read(file)) == UPRIGHT


def test_cmyk_images_become_rgb(tmp_path: Path) -> None:
    file = tmp_path / "print.jpg"
    quarters().convert("CMYK").save(file, quality=95)
    found = np.array(corners(read(file)), dtype=int)
    assert np.abs(found - np.array(UPRIGHT)).max() < 40


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stored_lying_are_shown_upright(tmp_path: Path, orientation: int) -> None:
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = quarters()
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = image.transpose(turns[orientation]) if orientation > 1 else image
    file = tmp_path / "camera.png"
    stored.save(file, exif=exif)
    assert corners(read(file)) == UPRIGHT


def test_sixteen_bits_are_refused_rather_than_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "deep.png"
    Image.fromarray(np.full((16, 16), 40_000, np.uint16)).save(file)
    with pytest.raises(DataError, match=r"deep.png .*more than 8 bits per channel"):
        read(file)


def test_an_image_too_large_to_be_true_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bomb.png"
    quarters().save(file)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match=r"bomb.png cannot be decoded"):
        read(file)


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="jpeg", quality=quality)
    return buffer.getvalue()


def smooth(height: int, width: int) -> Image.Image:
    """A photograph's smoothness with detail in it."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_the_fast_decoder_gives_pillows_pixels(mode: str) -> None:
    content = jpeg(smooth(61, 83).convert(mode))
    expected = np.array(Image.open(io.BytesIO(content)).convert("RGB"))
    assert (decode(content, "x").permute(1, 2, 0).numpy() == expected).all()


def test_without_the_fast_decoder_everything_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    content = jpeg(smooth(61, 83))
    fast = decode(content, "x")
    monkeypatch.setattr(decoding, "decode_jpeg", None)
    assert torch.equal(decode(content, "x"), fast)


@pytest.mark.parametrize(
    ("needed", "height"), [(None, 640), (200, 640), (160, 320), (100, 320), (80, 160), (10, 80)]
)
def test_a_jpeg_is_decoded_as_small_as_twice_what_is_needed(
    needed: int | None, height: int
) -> None:
    pixels = decode(jpeg(smooth(640, 960)), "x", shorter_side=needed)
    assert pixels.shape == (3, height, height * 3 // 2)


def test_reduced_decoding_changes_the_resized_image_by_little() -> None:
    content, view = jpeg(smooth(640, 960)), CentreCrop(ImageInput(64))
    whole = view(decode(content, "x")).float()
    reduced = view(decode(content, "x", shorter_side=view.shorter_side)).float()
    assert (whole - reduced).abs().mean() < 2
    assert (whole - reduced).abs().max() < 12


def test_a_truncated_jpeg_is_refused_by_either_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    content = jpeg(smooth(61, 83))
    for _ in range(2):
        for length in (len(content) // 2, len(content) - 2):
            with pytest.raises(DataError, match=r"somewhere.jpg cannot be decoded .*truncated"):
                decode(content[:length], "somewhere.jpg")
        monkeypatch.setattr(decoding, "decode_jpeg", None)


def test_what_is_stored_in_rgb_and_upright_is_told() -> None:
    assert is_rgb(jpeg(smooth(16, 16)))
    assert not is_rgb(jpeg(smooth(16, 16).convert("L")))
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    smooth(16, 16).save(buffer, format="jpeg", exif=exif)
    assert not is_rgb(buffer.getvalue())
