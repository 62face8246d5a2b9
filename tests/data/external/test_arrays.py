import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust_tuning.data.external.arrays import read_column_major, read_npy
from robust_tuning.errors import DataError
from tests.data.external.stored import lay_out_stl, noise

PIXELS, LABELS = noise(6), np.array([0, 1, 2, 2, 1, 0], dtype=np.int32)


def encoded(array: np.ndarray) -> bytes:  # type: ignore[type-arg]  # any array
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(shape: str, descr: str = "'|u1'") -> bytes:
    """A well-formed beginning with nothing behind it."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / "x.npy", PIXELS)
    np.save(tmp_path / "y.npy", LABELS)
    return tmp_path


def test_pixels_stay_on_the_disk_and_labels_become_int64(folder: Path) -> None:
    rows = read_npy(folder / "x.npy", folder / "y.npy", 6, 3)
    assert isinstance(rows.pixels, np.memmap)
    assert not rows.pixels.flags.writeable
    assert np.array_equal(rows.pixels, PIXELS)
    assert rows.labels.dtype == np.int64
    assert rows.labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "incomplete or damaged"),
        (b"<html>404 Not Found</html>", "incomplete or damaged"),
        (encoded(PIXELS)[:-1], "incomplete or damaged"),
        (encoded(PIXELS)[:90], "incomplete or damaged"),
        (header("(6, 32, 32, 3)"), "incomplete or damaged"),
        (header(f"({10**18}, 32, 32, 3)"), "incomplete or damaged"),
        (header("(-6, 32, 32, 3)"), "incomplete or damaged"),
        (header("__import__('os').abort()"), "incomplete or damaged"),
        (header("(1,)", "'|O'") + pickle.dumps([print]), "incomplete or damaged"),
        (encoded(PIXELS.astype(np.float32)), r"float32 \(6, 32, 32, 3\), expected uint8"),
        (encoded(PIXELS.astype(np.uint16)), r"uint16 \(6, 32, 32, 3\), expected uint8"),
        (encoded(PIXELS[:5]), r"\(5, 32, 32, 3\), expected uint8 \(6, 32, 32, 3\)"),
        (encoded(PIXELS.transpose(0, 3, 1, 2)), r"\(6, 3, 32, 32\), expected"),
    ],
)
def test_files_of_another_content_are_refused(folder: Path, content: bytes, said: str) -> None:
    (folder / "x.npy").write_bytes(content)
    with pytest.raises(DataError, match=said) as error:
        read_npy(folder / "x.npy", folder / "y.npy", 6, 3)
    assert str(folder / "x.npy") in str(error.value)
    assert "get it again" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (LABELS[:5], r"\(5,\), expected whole numbers \(6,\)"),
        (LABELS.astype(float), "float64"),
        (LABELS + 1, "labels are not in 0 to 2, such as 3"),
        (LABELS - 1, "labels are not in 0 to 2, such as -1"),
    ],
)
def test_labels_of_another_kind_are_refused(
    folder: Path,
    labels: np.ndarray,  # type: ignore[type-arg]  # any array
    said: str,
) -> None:
    np.save(folder / "y.npy", labels)
    with pytest.raises(DataError, match=said) as error:
        read_npy(folder / "x.npy", folder / "y.npy", 6, 3)
    assert str(folder / "y.npy") in str(error.value)


@pytest.mark.parametrize("gone", [Path.unlink, lambda path: (path.unlink(), path.mkdir())])
def test_what_cannot_be_opened_is_said(folder: Path, gone: Callable[[Path], object]) -> None:
    gone(folder / "x.npy")
    with pytest.raises(DataError, match=r"x\.npy cannot be read .*; put it back"):
        read_npy(folder / "x.npy", folder / "y.npy", 6, 3)


@pytest.fixture(scope="module")
def stl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stl")
    noise(3, 96).tofile(folder / "X.bin")
    np.array([1, 10, 5], dtype=np.uint8).tofile(folder / "y.bin")
    return folder


@given(st.integers(0, 2), st.integers(0, 2), st.integers(0, 95), st.integers(0, 95))
def test_a_pixel_stands_at_image_channel_column_row(
    stl: Path, n: int, c: int, y: int, x: int
) -> None:
    rows = read_column_major(stl / "X.bin", stl / "y.bin", 3, 10)
    content = (stl / "X.bin").read_bytes()
    assert rows.pixels[n, c, y, x] == content[((n * 3 + c) * 96 + x) * 96 + y]
    assert rows.labels.tolist() == [0, 9, 4]
    assert isinstance(rows.pixels.base, np.memmap)


def test_the_tests_layout_is_the_official_one(tmp_path: Path) -> None:
    pixels = noise(2, 96)
    lay_out_stl(tmp_path, pixels, np.array([0, 9]), "test")
    rows = read_column_major(tmp_path / "test_X.bin", tmp_path / "test_y.bin", 2, 10)
    assert np.array_equal(rows.pixels.transpose(0, 2, 3, 1), pixels)


@pytest.mark.parametrize("size", [0, 3 * 27648 - 1, 3 * 27648 + 1])
def test_headless_files_tell_by_their_size(stl: Path, tmp_path: Path, size: int) -> None:
    (tmp_path / "X.bin").write_bytes(bytes(size))
    with pytest.raises(DataError, match=f"holds {size:,} bytes, expected 82,944"):
        read_column_major(tmp_path / "X.bin", stl / "y.bin", 3, 10)


@pytest.mark.parametrize("label", [0, 11])
def test_labels_of_stl_count_from_one(stl: Path, tmp_path: Path, label: int) -> None:
    np.array([1, label, 2], dtype=np.uint8).tofile(tmp_path / "y.bin")
    with pytest.raises(DataError, match=f"not in 1 to 10, such as {label}"):
        read_column_major(stl / "X.bin", tmp_path / "y.bin", 3, 10)
