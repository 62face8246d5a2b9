from pathlib import Path

import numpy as np
import pytest
import torch

from robust_tuning.data.image_files import EncodedExamples, ImagePaths
from robust_tuning.data.views import CentreCrop
from robust_tuning.errors import DataError
from robust_tuning.types import ImageInput
from tests.data.pictures import quarters


@pytest.fixture
def paths(tmp_path: Path) -> ImagePaths:
    (tmp_path / "ä b").mkdir()
    quarters(64, 32).save(tmp_path / "ä b" / "1.png")
    quarters().save(tmp_path / "2.jpg")
    return ImagePaths(tmp_path, ["ä b/1.png", "2.jpg", "gone.jpg"])


def examples(paths: ImagePaths) -> EncodedExamples:
    view = CentreCrop(ImageInput(16))
    return EncodedExamples(paths, np.array([4, 5, 6]), np.array([7, 8, 9]), view)


def test_an_example_is_shown_with_its_label_and_index(paths: ImagePaths) -> None:
    found = examples(paths)
    assert len(found) == 3
    batch = found[0]
    assert batch.images.shape == (3, 16, 16)
    assert batch.images.dtype == torch.uint8
    assert (int(batch.labels), int(batch.indices)) == (4, 7)
    assert batch.labels.dtype == batch.indices.dtype == torch.int64


def test_a_missing_image_is_named_with_the_remedy(paths: ImagePaths) -> None:
    with pytest.raises(DataError, match=r"/gone\.jpg cannot be read \(No such file.*data\.skip"):
        examples(paths)[2]


def test_a_version_changes_with_the_file(paths: ImagePaths, tmp_path: Path) -> None:
    before = [paths.version(i) for i in range(3)]
    assert len(set(before)) == 3
    (tmp_path / "2.jpg").write_bytes(b"other")
    after = [paths.version(i) for i in range(3)]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]
