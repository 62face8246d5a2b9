from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robust_tuning.errors import DataError
from robust_tuning.frontier.examples import PerturbedExamples, examples_path


def make_examples(k: int = 2, size: int = 4, **changes: Any) -> PerturbedExamples:
    generator = np.random.default_rng(0)
    values = {
        "step": 50,
        "split": "validation",
        "index": np.arange(k) + 7,
        "label": np.arange(k) % 3,
        "clean": generator.integers(0, 256, (k, 3, size, size)).astype(np.uint8),
        "perturbation": (generator.random((k, 3, size, size)) / 50 - 0.01).astype(np.float16),
        "predicted_clean": np.arange(k) % 3,
        "predicted_adversarial": (np.arange(k) + 1) % 3,
        "class_names": ("cat", "dog", "größe"),
    }
    return PerturbedExamples(**{**values, **changes})


def test_what_is_written_is_read_and_replaced(tmp_path: Path) -> None:
    path = examples_path(tmp_path, "linf-1/255")
    assert path == tmp_path / "examples" / "linf-1of255.npz"
    for examples in (make_examples(), make_examples(k=1, step=60)):
        examples.write(path)
        again = PerturbedExamples.read(path)
        assert vars(again).keys() == vars(examples).keys()
        for name, value in vars(examples).items():
            assert np.array_equal(getattr(again, name), value), name
            if isinstance(value, np.ndarray):
                assert getattr(again, name).dtype == value.dtype
        assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_class_beyond_the_names_is_called_by_its_number() -> None:
    assert [make_examples().name(label) for label in (1, 9)] == ["dog", "9"]


@pytest.mark.parametrize("name", ["label", "clean", "perturbation", "predicted_adversarial"])
def test_arrays_that_do_not_fit_are_refused(name: str) -> None:
    with pytest.raises(DataError, match=f"{name} has shape"):
        make_examples(**{name: getattr(make_examples(k=3), name)})


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 and then nothing"])
def test_a_file_that_cannot_be_read_says_what_helps(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "linf-1of255.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="is missing" if content is None else "writes it anew"):
        PerturbedExamples.read(path)
