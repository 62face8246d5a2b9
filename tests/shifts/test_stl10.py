from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robust_tuning.data import CIFAR10, CIFAR100
from robust_tuning.data.class_lists import read_classes
from robust_tuning.data.external import STL_10
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.plugins import from_spec, spec_of
from robust_tuning.shifts import STL10
from tests.data.external.stored import lay_out_stl, noise, published
from tests.material import real_cifar

PIXELS, LABELS = noise(30, side=96), np.arange(30) % 10
FROG = 6


@pytest.fixture
def root(tmp_path: Path) -> Path:
    lay_out_stl(tmp_path / "stl10_binary", PIXELS, LABELS, "test")
    return tmp_path


def test_the_files_of_the_test_part_are_enough(root: Path) -> None:
    for place in (root, root / "stl10_binary"):
        [only] = STL10(str(place), expected=30).sets(CIFAR10("x"), "validation", None)
        assert len(only.examples) == 27  # type: ignore[arg-type]  # has a length
    for row in range(27):
        image, label, index = only.examples[row]
        assert image.shape == (3, 96, 96)
        assert image.is_contiguous()
        assert (image.permute(1, 2, 0).numpy() == PIXELS[int(index)]).all()
        wanted = {"car": "automobile"}.get(name := STL_10.classes[int(index) % 10], name)
        assert read_classes("cifar10")[int(label)] == wanted


def test_the_map_is_the_known_permutation() -> None:
    targets = STL10("x").label_map(CIFAR10("x")).targets
    assert targets == (0, 2, 1, 3, 4, 5, 7, -1, 8, 9)


@pytest.mark.parametrize("masked", [False, True])
def test_the_frog_is_an_answer_unless_it_is_masked(root: Path, masked: bool) -> None:
    [only] = STL10(str(root), masked=masked, expected=30).sets(CIFAR10("x"), "test", 5)
    answers = only.labels.answers
    assert answers == (tuple(label for label in range(10) if label != FROG) if masked else None)
    rule = "are masked" if masked else "can be answered all the same"
    assert only.findings == [
        "3 images of 1 classes without a counterpart are left out ('monkey')",
        f"1 classes of the benchmark do not occur and {rule} ('frog')",
    ]


def test_the_training_part_is_another_set(root: Path) -> None:
    lay_out_stl(root / "stl10_binary", PIXELS[:10, ::-1], LABELS[:10], "train")
    shift = STL10(str(root), part="train", expected=10)
    [only] = shift.sets(CIFAR10("x"), "test", None)
    assert only.key == shift.name == "stl10-train"
    image = only.examples[0].images
    assert torch.equal(image.permute(1, 2, 0), torch.from_numpy(PIXELS[0, ::-1].copy()))


def test_the_published_files_are_verified(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root / "stl10_binary"
    small = published(STL_10, folder, {"test": (3,) * 10})
    monkeypatch.setattr("robust_tuning.shifts.stl10.STL_10", small)
    shift = STL10(str(root))
    assert len(shift.sets(CIFAR10("x"), "test", 7)) == 1
    lay_out_stl(folder, PIXELS, np.roll(LABELS, 1), "test")
    with pytest.raises(DataError, match=r"test_y\.bin has the sha256"):
        shift.sets(CIFAR10("x"), "test", 7)


def test_a_copy_of_another_size_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"test_X\.bin .* holds 829,440 bytes, expected 221,184,0"):
        STL10(str(root)).sets(CIFAR10("x"), "test", 7)


def test_what_cannot_be_is_refused_before_any_file_is_read() -> None:
    with pytest.raises(ConfigurationError, match="STL10 shows 9 classes that CIFAR100 does not"):
        STL10("nowhere").sets(CIFAR100("x"), "test", None)
    with pytest.raises(ConfigurationError, match="part is 'unlabeled', expected one of test, tra"):
        STL10("x", part="unlabeled")  # type: ignore[arg-type]  # as Python code may say


def test_it_can_be_written_down() -> None:
    spec = spec_of(STL10("x", masked=True, part="train", expected=3))
    assert spec_of(from_spec(spec)) == spec


@pytest.mark.real_data
def test_real_photographs_stand_upright(real_data: Path, tmp_path: Path) -> None:
    """Written in the official order and read again, a photograph is itself, not its mirror."""
    pictures = [p for p in real_cifar(real_data, "cifar10").of("test") if p.label != "frog"][:50]
    names = {"automobile": "car"}
    labels = np.array([STL_10.classes.index(names.get(p.label, p.label)) for p in pictures])
    pixels = np.stack([p.pixels().repeat(3, axis=0).repeat(3, axis=1) for p in pictures])
    lay_out_stl(tmp_path, pixels, labels, "test")
    source: Any = CIFAR10("x")
    [only] = STL10(str(tmp_path), expected=50).sets(source, "test", None)
    for row, picture in enumerate(pictures):
        image, label, _ = only.examples[row]
        assert (image[:, ::3, ::3].permute(1, 2, 0).numpy() == picture.pixels()).all()
        assert source.class_names[int(label)] == picture.label
