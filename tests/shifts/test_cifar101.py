from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robust_tuning.data import CIFAR10, CIFAR100, Digits
from robust_tuning.data.external import CIFAR_10_1
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.plugins import from_spec, spec_of
from robust_tuning.shifts import CIFAR101
from tests.data.external.stored import noise, published

PIXELS, LABELS = noise(40), np.random.default_rng(0).permutation(np.arange(40) % 10)


@pytest.fixture(params=["v6", "v4"])
def version(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    pixels, labels = CIFAR_10_1.parts[request.param].files
    np.save(tmp_path / pixels, PIXELS)
    np.save(tmp_path / labels, LABELS.astype(np.int32))
    return request.param


def test_images_labels_and_rows(tmp_path: Path, version: Any) -> None:
    shift = CIFAR101(str(tmp_path), version=version, expected=40)
    for split in ("validation", "test"):
        [only] = shift.sets(CIFAR10("x"), split, None)  # type: ignore[arg-type]  # of both
        assert only.key == shift.name == f"cifar10.1-{version}"
        for row in range(40):
            image, label, index = only.examples[row]
            assert (image.permute(1, 2, 0).numpy() == PIXELS[row]).all()
            assert (int(label), int(index)) == (LABELS[row], row)
        assert only.findings == []
        assert only.labels.answers is None


def test_the_published_files_are_verified(
    tmp_path: Path, version: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = published(CIFAR_10_1, tmp_path, {version: (4,) * 10})
    monkeypatch.setattr("robust_tuning.shifts.cifar101.CIFAR_10_1", small)
    shift = CIFAR101(str(tmp_path), version=version)
    assert len(shift.sets(CIFAR10("x"), "test", 7)[0].examples) == 7
    np.save(tmp_path / CIFAR_10_1.parts[version].pixels, PIXELS[::-1])
    with pytest.raises(DataError, match=r"data\.npy has the sha256"):
        shift.sets(CIFAR10("x"), "test", 7)


def test_files_of_another_size_are_no_cifar101(tmp_path: Path, version: Any) -> None:
    with pytest.raises(DataError, match=r"holds uint8 \(40, 32, 32, 3\), expected uint8 \(20"):
        CIFAR101(str(tmp_path), version=version).sets(CIFAR10("x"), "test", None)


@pytest.mark.parametrize("source", [CIFAR100("x"), Digits()])
def test_a_benchmark_of_other_classes_is_refused_before_any_file_is_read(source: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"CIFAR101 shows \d+ classes that"):
        CIFAR101("nowhere").sets(source, "test", None)


def test_there_is_no_seventh_version() -> None:
    with pytest.raises(ConfigurationError, match="version is 'v7', expected one of v6, v4"):
        CIFAR101("x", version="v7")  # type: ignore[arg-type]  # as Python code may say


def test_it_can_be_written_down() -> None:
    spec = spec_of(CIFAR101("x", version="v4", download=True, expected=3))
    assert spec_of(from_spec(spec)) == spec
