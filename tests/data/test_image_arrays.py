from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robust_tuning.data import ImageArrays
from robust_tuning.errors import ConfigurationError, DataError

RNG = np.random.default_rng(0)


def arrays(n: int = 40, classes: int = 4) -> dict[str, Any]:
    return {
        "x_train": RNG.integers(0, 256, (n, 6, 5, 3), dtype=np.uint8),
        "y_train": np.arange(n) % classes,
        "x_test": RNG.integers(0, 256, (10, 6, 5, 3), dtype=np.uint8),
        "y_test": np.arange(10) % classes,
        "classes": np.array(["ant", "bee", "cat", "dog"][:classes]),
    }


def saved(folder: Path, **changes: Any) -> str:
    content = {key: value for key, value in {**arrays(), **changes}.items() if value is not None}
    file = folder / "animals.npz"
    np.savez_compressed(file, **content)
    return str(file)


def read_all(path: str) -> None:
    data = ImageArrays(path)
    assert data.class_names
    for split in ("train", "validation", "test"):
        data.dataset(split)


def test_examples_are_the_rows_of_the_file(tmp_path: Path) -> None:
    content = arrays()
    data = ImageArrays(saved(tmp_path, **content), validation_fraction=0.2)
    assert data.class_names == ("ant", "bee", "cat", "dog")
    assert data.benchmark == "animals"
    seen: list[int] = []
    for split, size in (("train", 32), ("validation", 8), ("test", 10)):
        examples = data.load(split)  # type: ignore[arg-type]  # a Split
        assert examples.images.shape == (size, 3, 6, 5)
        assert examples.images.dtype == torch.uint8
        rows = examples.indices.numpy() - (40 if split == "test" else 0)
        source = "test" if split == "test" else "train"
        expected = content[f"x_{source}"][rows].transpose(0, 3, 1, 2)
        assert np.array_equal(examples.images.numpy(), expected)
        assert np.array_equal(examples.labels.numpy(), content[f"y_{source}"][rows])
        seen += examples.indices.tolist()
    assert sorted(seen) == list(range(50)), "every image has an index of its own"


def test_the_validation_split_is_stratified(tmp_path: Path) -> None:
    data = ImageArrays(saved(tmp_path), validation_fraction=0.2)
    assert np.bincount(data.labels("validation")).tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_neither_training_nor_validation_is_ever_empty(tmp_path: Path, fraction: float) -> None:
    data = ImageArrays(saved(tmp_path), validation_fraction=fraction)
    assert len(data.labels("train")) >= 1
    assert len(data.labels("validation")) >= 1


def test_without_names_the_labels_name_the_classes(tmp_path: Path) -> None:
    assert ImageArrays(saved(tmp_path, classes=None)).class_names == ("0", "1", "2", "3")


def test_labels_of_any_integer_type_become_int64(tmp_path: Path) -> None:
    path = saved(tmp_path, y_train=(np.arange(40) % 4).astype(np.uint8))
    assert ImageArrays(path).load("train").labels.dtype == torch.int64


IMAGES = arrays()["x_train"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_train": None}, r"has no array 'x_train'; it has .*x_test"),
        ({"y_test": None}, r"has no array 'y_test'"),
        ({"x_train": IMAGES / 255}, r"x_train is float64 .* expected uint8 images \(N, H, W, 3\)"),
        ({"x_train": IMAGES.transpose(0, 3, 1, 2)}, r"\(40, 3, 6, 5\), expected uint8"),
        ({"x_train": IMAGES[..., 0]}, r"\(40, 6, 5\), expected uint8"),
        ({"x_train": IMAGES[:39]}, "39 images in x_train, but 40 labels"),
        ({"y_train": np.arange(40.0)}, "y_train is float64 .* one integer label per image"),
        ({"y_train": np.zeros((40, 4), int)}, r"y_train is int64 \(40, 4\)"),
        ({"y_train": np.zeros(0, int), "x_train": IMAGES[:0]}, r"y_train is int64 \(0,\)"),
        ({"y_train": np.arange(40) % 5}, "y_train run from 0 to 4, expected 0 to 3"),
        ({"y_test": np.arange(10) - 1}, "y_test run from -1 to 8, expected 0 to 3"),
        ({"y_test": np.arange(10), "classes": None}, "y_test run from 0 to 9, expected 0 to 3"),
        (
            {"classes": np.array(["a", "b", "c", "d"], object)},
            "classes cannot be read .*allow_pickle",
        ),
        ({"x_train": np.array([None] * 40)}, "x_train cannot be read .*allow_pickle"),
    ],
)
def test_what_is_wrong_with_an_array_is_said(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    path = saved(tmp_path, **changes)
    with pytest.raises(DataError, match=words) as caught:
        read_all(path)
    assert path in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.npz', but there is no such file"):
        read_all(str(tmp_path / "nowhere.npz"))


@pytest.mark.parametrize("content", [b"", b"just text", b"PK\x03\x04 no archive"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "text.npz"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"is no readable \.npz file"):
        read_all(str(file))


def test_a_folder_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is no readable \.npz file"):
        read_all(str(tmp_path))


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "single.npy"
    np.save(file, IMAGES)
    with pytest.raises(DataError, match="holds a single array"):
        read_all(str(file))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    file = Path(saved(tmp_path))
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"animals.npz"):
        read_all(str(file))


@pytest.mark.parametrize("place", [0.02, 0.1, 0.3, 0.5, 0.6])
def test_a_damaged_file_is_refused(tmp_path: Path, place: float) -> None:
    file = Path(saved(tmp_path))
    content = bytearray(file.read_bytes())
    start = int(place * len(content))
    content[start : start + 40] = bytes(255 - byte for byte in content[start : start + 40])
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"animals.npz"):
        read_all(str(file))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1, 2])
def test_fractions_outside_0_1_are_refused(fraction: float) -> None:
    with pytest.raises(
        ConfigurationError, match=r"validation_fraction is .*, expected in \(0, 1\)"
    ):
        ImageArrays("anything.npz", validation_fraction=fraction)


@pytest.mark.real_data
def test_real_cifar_10(real_data: Path) -> None:
    data = ImageArrays(str(real_data / "cifar10_lossless_train4000_test1000.npz"))
    assert data.class_names[3] == "cat"
    assert [len(data.labels(split)) for split in ("train", "validation", "test")] == [
        3600,
        400,
        1000,
    ]
    batch = next(iter(data.test_dataloader()))
    assert batch.images.shape == (256, 3, 32, 32)
    assert batch.images.dtype == torch.uint8
    assert abs(float(batch.images.float().mean()) / 255 - 0.47) < 0.03
    with np.load(data.path) as source:
        assert np.array_equal(batch.images[7].permute(1, 2, 0).numpy(), source["x_test"][7])
