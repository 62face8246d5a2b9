from pathlib import Path

import numpy as np
import pytest
import torch

from robust_tuning.data import CIFAR10, ImageFolder
from robust_tuning.data.external import FolderExamples, evaluation_view, list_folder
from robust_tuning.data.views import CentreCrop
from robust_tuning.errors import DataError
from robust_tuning.types import ImageInput
from tests.data.damage import CONVERTED, UNUSABLE, encoded, noise

BROKEN = {name: content for kind in UNUSABLE.values() for name, content in kind.items()}
VIEW = CentreCrop(ImageInput(size=16, crop_fraction=1.0))


def write(root: Path, *files: str) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(encoded(noise(0)))


def test_images_are_found_at_any_depth_and_the_rest_is_told(tmp_path: Path) -> None:
    write(tmp_path, "b/2.JPG", "b/deep/1.png", "a/3.jpeg", "a/list.txt", "stray.jpg", "b/x.gif")
    (tmp_path / "empty").mkdir()
    folder = list_folder(str(tmp_path))
    assert folder.classes == ("a", "b", "empty")
    assert folder.images == ("a/3.jpeg", "b/2.JPG", "b/deep/1.png")
    assert folder.others == ("a/list.txt", "b/x.gif", "stray.jpg")
    assert folder.labels().tolist() == [0, 1, 1]


def test_a_class_may_be_a_link(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", "1.jpg")
    write(tmp_path / "root", "a/2.jpg")
    (tmp_path / "root" / "b").symlink_to(tmp_path / "elsewhere")
    assert list_folder(str(tmp_path / "root")).images == ("a/2.jpg", "b/1.jpg")


@pytest.mark.parametrize("files", [(), ("1.jpg",), ("a/notes.txt",)])
def test_a_folder_without_images_is_refused(tmp_path: Path, files: tuple[str, ...]) -> None:
    write(tmp_path, *files)
    for root in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match=r"holds no images in folders; expected .*CLASS/\*"):
            list_folder(str(root))


def test_photographs_are_shown_as_the_benchmark_shows_its_own(tmp_path: Path) -> None:
    folder = ImageFolder(str(tmp_path), image_size=64, crop_fraction=0.5)
    cifar = CIFAR10(str(tmp_path))
    seen = ImageInput(size=96, crop_fraction=0.9)
    for source in (folder, cifar):
        source.match(seen)
    assert evaluation_view(cifar) == CentreCrop(seen)
    assert evaluation_view(folder) == CentreCrop(ImageInput(size=64, crop_fraction=0.5))


@pytest.mark.parametrize("kind", CONVERTED)
def test_any_kind_of_image_becomes_rgb_of_the_inputs_size(tmp_path: Path, kind: str) -> None:
    (tmp_path / "x").write_bytes(CONVERTED[kind])
    batch = FolderExamples(tmp_path, ["x"], np.array([3]), np.array([8]), VIEW)[0]
    assert (batch.images.dtype, tuple(batch.images.shape)) == (torch.uint8, (3, 16, 16))
    assert (int(batch.labels), int(batch.indices)) == (3, 8)


@pytest.mark.parametrize("kind", [*BROKEN, "gone"])
def test_a_broken_image_is_named(tmp_path: Path, kind: str) -> None:
    if kind in BROKEN:
        (tmp_path / "x.jpg").write_bytes(BROKEN[kind])
    examples = FolderExamples(tmp_path, ["x.jpg"], np.array([0]), np.array([0]), VIEW)
    problem = "cannot be read" if kind == "gone" else "cannot be decoded"
    with pytest.raises(DataError, match=rf"x\.jpg {problem} .*take it out of the folder") as error:
        examples[0]
    assert "data.skip" not in str(error.value)
