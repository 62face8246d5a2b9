import pickle
from pathlib import Path

import numpy as np
import pytest

from robust_tuning.data.pickled_rows import read_rows
from robust_tuning.errors import DataError
from tests.python2 import python2_pickle


def rows(changes: dict[str, object] | None = None, n: int = 3) -> dict[str, object]:
    pixels = np.arange(n * 3072, dtype=np.int64).astype(np.uint8).reshape(n, 3072)
    return {"data": pixels, "labels": list(range(n)), "batch_label": "x", **(changes or {})}


def test_rows_hold_three_planes(tmp_path: Path) -> None:
    path = tmp_path / "batch"
    path.write_bytes(python2_pickle(rows()))
    found = read_rows(path, "labels", None)
    assert found.labels.tolist() == [0, 1, 2]
    assert found.pixels.shape == (3, 3, 32, 32)
    assert found.pixels[1, 2, 3, 4] == (3072 + 2 * 1024 + 3 * 32 + 4) % 256


@pytest.mark.parametrize("protocol", range(6))
def test_newer_pickles_are_read_too(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "batch"
    table = {key.encode(): value for key, value in rows().items()}
    path.write_bytes(pickle.dumps(table, protocol=protocol))
    assert read_rows(path, "labels", None).labels.tolist() == [0, 1, 2]


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path, mark = tmp_path / "batch", tmp_path / "mark"
    path.write_bytes(pickle.dumps({b"data": Hostile(mark), b"labels": [0]}))
    with pytest.raises(
        DataError, match=r"batch is no file of CIFAR \(UnpicklingError: it wants to"
    ):
        read_rows(path, "labels", None)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"labels": [0, 1]}, r"its data is uint8 \(3, 3072\) for 2 labels"),
        ({"data": np.zeros((3, 3072), np.int64)}, "its data is int64"),
        ({"data": np.zeros((3, 100), np.uint8)}, r"its data is uint8 \(3, 100\)"),
        ({"labels": ["a", "b", "c"]}, "ValueError"),
    ],
)
def test_another_form_is_refused(tmp_path: Path, changes: dict[str, object], problem: str) -> None:
    path = tmp_path / "batch"
    table = {key.encode(): value for key, value in rows(changes).items()}
    path.write_bytes(pickle.dumps(table))
    with pytest.raises(DataError, match=problem):
        read_rows(path, "labels", None)


def test_a_key_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "batch"
    path.write_bytes(python2_pickle(rows()))
    with pytest.raises(DataError, match="KeyError: b'fine_labels'"):
        read_rows(path, "fine_labels", None)


def test_the_checksum_counts_where_it_is_known(tmp_path: Path) -> None:
    path = tmp_path / "batch"
    path.write_bytes(python2_pickle(rows()))
    with pytest.raises(DataError, match=r"batch has the MD5 \w{32}, expected 0{32}"):
        read_rows(path, "labels", "0" * 32)
