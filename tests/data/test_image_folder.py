import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robust_tuning.data import ImageFolder
from robust_tuning.errors import ConfigurationError, DataError
from tests.data.pictures import quarters


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three classes with 10 training and 3 test images each."""
    for split, n in (("train", 10), ("test", 3)):
        for name in ("ant", "bee", "cat"):
            folder = tmp_path / "animals" / split / name
            folder.mkdir(parents=True)
            for number in range(n):
                quarters().save(folder / f"{number}.png")
    return tmp_path / "animals"


def module(root: Path, **settings: float) -> ImageFolder:
    return ImageFolder(str(root), image_size=16, num_workers=0, **settings)  # type: ignore[arg-type]  # numbers


def test_classes_and_splits_come_from_the_folders(root: Path) -> None:
    data = module(root, validation_fraction=0.2)
    assert data.class_names == ("ant", "bee", "cat")
    assert data.benchmark == "animals"
    assert np.bincount(data.labels("train")).tolist() == [8, 8, 8]
    assert np.bincount(data.labels("validation")).tolist() == [2, 2, 2]
    assert np.bincount(data.labels("test")).tolist() == [3, 3, 3]
    for split in ("train", "validation", "test"):
        files, labels = data.identities(split), data.labels(split)
        assert [file.split("/")[1] for file in files] == [data.class_names[k] for k in labels]


def test_no_image_is_in_two_splits_and_each_has_an_index_of_its_own(root: Path) -> None:
    data = module(root)
    files = [file for split in ("train", "validation", "test") for file in data.identities(split)]
    assert len(files) == len(set(files)) == 39
    indices = [
        int(data.load(split)[i].indices)
        for split in ("train", "validation", "test")
        for i in range(len(data.labels(split)))
    ]
    assert sorted(indices) == list(range(39))


def test_a_validation_folder_is_used_where_there_is_one(root: Path) -> None:
    folder = root / "validation" / "bee"
    folder.mkdir(parents=True)
    quarters().save(folder / "x.png")
    data = module(root)
    assert data.identities("validation") == ["validation/bee/x.png"]
    assert data.labels("validation").tolist() == [1]
    assert len(data.labels("train")) == 30


def test_images_in_deeper_folders_count_and_other_files_do_not(root: Path) -> None:
    deep = root / "test" / "cat" / "more"
    deep.mkdir()
    quarters().save(deep / "deep.JPG", format="jpeg")
    (deep / "notes.txt").write_text("no image")
    data = module(root)
    assert "test/cat/more/deep.JPG" in data.identities("test")
    assert len(data.identities("test")) == 10


def test_hidden_files_and_folders_do_not_count(root: Path) -> None:
    before = {split: module(root).identities(split) for split in ("train", "test")}
    for hidden in ("train/.thumbs/1.png", "test/cat/.cache/2.png", "test/ant/._3.png"):
        (root / hidden).parent.mkdir(exist_ok=True)
        (root / hidden).write_text("no image")
    assert module(root).class_names == ("ant", "bee", "cat")
    assert {split: module(root).identities(split) for split in before} == before  # type: ignore[arg-type]  # splits


def test_the_held_out_images_do_not_depend_on_where_the_folder_is(root: Path) -> None:
    before = module(root).identities("validation")
    moved = root.rename(root.with_name("elsewhere"))
    assert module(moved).identities("validation") == before


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_neither_training_nor_validation_is_ever_empty(root: Path, fraction: float) -> None:
    data = module(root, validation_fraction=fraction)
    assert len(data.labels("train")) >= 1
    assert len(data.labels("validation")) >= 1


def damaged(kind: str) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, format="png" if kind == "truncated png" else "jpeg")
    content = buffer.getvalue()
    return {
        "text": b"<html>404 not found</html>",
        "empty": b"",
        "truncated jpeg": content[: len(content) // 2],
        "truncated png": content[: len(content) // 2],
        "header alone": content[:20],
    }[kind]


DAMAGES = ["text", "empty", "truncated jpeg", "truncated png", "header alone"]


@pytest.mark.parametrize(
    ("kind", "workers"), [*((kind, 0) for kind in DAMAGES), ("truncated jpeg", 1)]
)
def test_a_damaged_image_is_named_also_by_a_worker(root: Path, kind: str, workers: int) -> None:
    bad = root / "test" / "bee" / "bad.jpg"
    bad.write_bytes(damaged(kind))
    data = ImageFolder(str(root), image_size=16, num_workers=workers)
    with pytest.raises(DataError, match=r"^\S*/test/bee/bad.jpg cannot be decoded") as caught:
        list(data.test_dataloader())
    assert "Traceback" not in str(caught.value)
    assert "replace it, or leave it out by a line in the list that data.skip names" in str(
        caught.value
    )


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data.root is .*nowhere.* expected the folder .*/train"):
        _ = module(tmp_path / "nowhere").class_names


def test_one_class_is_no_benchmark(tmp_path: Path) -> None:
    (tmp_path / "train" / "ant").mkdir(parents=True)
    with pytest.raises(DataError, match="holds 1 class folders, expected at least two"):
        _ = module(tmp_path).class_names


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_without_images_is_named(root: Path, split: str) -> None:
    for file in (root / split).rglob("*.png"):
        file.unlink()
    with pytest.raises(DataError, match=rf"/{split} holds no images; expected {split}/CLASS/"):
        module(root).labels("validation")


def test_a_missing_test_folder_is_named(root: Path) -> None:
    (root / "test").rename(root / "exam")
    with pytest.raises(DataError, match=r"/test holds no images"):
        module(root).labels("train")


def test_a_class_that_only_the_test_knows_is_named(root: Path) -> None:
    (root / "test" / "wasp").mkdir()
    with pytest.raises(DataError, match="classes unknown to train: wasp"):
        module(root).labels("test")


@pytest.mark.parametrize(
    "settings",
    [
        {"image_size": 0},
        {"crop_fraction": 0.0},
        {"crop_fraction": 1.1},
        {"validation_fraction": 0.0},
        {"validation_fraction": 1.0},
    ],
)
def test_sizes_and_fractions_out_of_range_are_refused(settings: dict[str, float]) -> None:
    (name,) = settings
    with pytest.raises(ConfigurationError, match=rf"{name} is {settings[name]}, expected"):
        ImageFolder("anywhere", **settings)  # type: ignore[arg-type]  # numbers


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "train", "test"), [("dogs20", 1200, 600), ("cub20hard", 596, 600)]
)
def test_real_photographs(
    real_data: Path, tmp_path: Path, name: str, train: int, test: int
) -> None:
    with zipfile.ZipFile(real_data / f"{name}.zip") as archive:
        archive.extractall(tmp_path)
    (found,) = {path.parent for path in tmp_path.rglob("train") if path.is_dir()}
    data = ImageFolder(str(found), image_size=64, num_workers=0, eval_batch_size=100)
    assert data.num_classes == 20
    assert len(data.labels("train")) + len(data.labels("validation")) == train
    assert len(data.labels("test")) == test
    assert set(data.labels("validation")) == set(range(20))
    batch = next(iter(data.test_dataloader()))
    assert batch.images.shape == (100, 3, 64, 64)
    # Photographs: neither black nor noise.
    assert 0.25 < float(batch.images.float().mean()) / 255 < 0.7
    assert float(batch.images.float().std()) / 255 > 0.1
