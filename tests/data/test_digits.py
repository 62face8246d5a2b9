import hashlib

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from robust_tuning.data import Digits
from robust_tuning.types import Split

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def indices(split: Split, n: int | None = None) -> list[int]:
    examples = Digits().evaluation_examples(split, n)
    return [int(examples[i].indices) for i in range(len(examples))]  # type: ignore[arg-type]  # sized


def fingerprint(values: list[int]) -> str:
    return hashlib.sha256(",".join(map(str, values)).encode()).hexdigest()


@pytest.mark.parametrize(
    ("split", "sha256"),
    [
        ("train", "dff7b798fbd9805bb6f6ea76cee682f902bf0e11ff147b434425189cee1fe012"),
        ("validation", "84d2a612a6ccdf0a3cb5bf4cc01ff50fa22d4e20c0213fbceece70a5c935db72"),
        ("test", "7a7f49ebd3ff7c2851d4ebb26498c52fc40447fb8023bdaa180c50ecdbc9005c"),
    ],
)
def test_splits_never_drift(split: Split, sha256: str) -> None:
    assert fingerprint(indices(split)) == sha256


def test_evaluation_examples_never_drift() -> None:
    assert (
        fingerprint(indices("validation", 20))
        == "2c6e997308a5bbd09f51fbffd76faf96e76164c1174d86aec9f79f7dd7554d2c"
    )


def test_every_digit_is_in_one_split() -> None:
    together = [index for split in SPLITS for index in indices(split)]
    assert sorted(together) == list(range(1797))
    assert [len(indices(split)) for split in SPLITS] == [1197, 300, 300]


@pytest.mark.parametrize("split", SPLITS)
def test_splits_are_stratified(split: Split) -> None:
    labels = Digits().labels(split)
    whole = np.bincount(load_digits().target) / 1797
    assert np.abs(np.bincount(labels) / len(labels) - whole).max() < 1.5 / 300


@pytest.mark.parametrize("split", SPLITS)
def test_examples_are_the_digits_of_their_index(split: Split) -> None:
    examples = Digits().load(split)
    source = load_digits()
    assert examples.images.shape[1:] == (3, 32, 32)
    assert examples.images.dtype == torch.float32
    assert examples.images.min() == 0
    assert examples.images.max() == 1
    assert np.array_equal(examples.labels.numpy(), source.target[examples.indices.numpy()])
    # Enlarged four times, the mean of each block of pixels stays close to its source pixel.
    shown = examples.images[:, 0].reshape(-1, 8, 4, 8, 4).mean((2, 4)).numpy()
    original = source.images[examples.indices.numpy()] / 16
    assert np.abs(shown - original).max() < 0.5
    assert np.corrcoef(shown.ravel(), original.ravel())[0, 1] > 0.97
    assert torch.equal(examples.images[:, 0], examples.images[:, 2])
