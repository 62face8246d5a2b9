import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from robust_tuning.data import ImageFolder
from robust_tuning.data.image_folder import FileExamples
from robust_tuning.errors import ConfigurationError, DataError


def quarters(width: int = 32, height: int = 32) -> Image.Image:
    """Red and green above, blue and white below."""
    pixels = np.zeros((height, width, 3), np.uint8)
    top, left = slice(0, height // 2), slice(0, width // 2)
    bottom, right = slice(height // 2, None), slice(width // 2, None)
    pixels[top, left] = (255, 0, 0)
    pixels[top, right] = (0, 255, 0)
    pixels[bottom, left] = (0, 0, 255)
    pixels[bottom, right] = (255, 255, 255)
    return Image.fromarray(pixels)


def read(file: Path, *, size: int = 16, crop: float = 1.0) -> NDArray[np.uint8]:
    examples = FileExamples(
        [file], np.zeros(1, np.int64), np.zeros(1, np.int64), image_size=size, crop_fraction=crop
    )
    image = examples[0].images
    assert image.shape == (3, size, size)
    assert image.dtype == torch.uint8
    pixels: NDArray[np.uint8] = image.permute(1, 2, 0).numpy()
    return pixels


def corners(pixels: NDArray[np.uint8]) -> list[list[int]]:
    near, far = len(pixels) // 4, 3 * len(pixels) // 4
    places = ((near, near), (near, far), (far, near), (far, far))
    return [pixels[place].tolist() for place in places]


UPRIGHT = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]


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
        for i in range(len(data.load(split)))
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


def test_the_held_out_images_do_not_depend_on_where_the_folder_is(root: Path) -> None:
    before = module(root).identities("validation")
    moved = root.rename(root.with_name("elsewhere"))
    assert module(moved).identities("validation") == before


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_neither_training_nor_validation_is_ever_empty(root: Path, fraction: float) -> None:
    data = module(root, validation_fraction=fraction)
    assert len(data.labels("train")) >= 1
    assert len(data.labels("validation")) >= 1


@pytest.mark.parametrize("ending", ["png", "bmp", "tiff", "webp", "jpg"])
def test_formats_become_upright_rgb(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"image.{ending}"
    quarters().save(file, lossless=True)
    found = np.array(corners(read(file)), dtype=int)
    assert np.abs(found - np.array(UPRIGHT)).max() <= (8 if ending == "jpg" else 0)


def test_grey_images_become_rgb(tmp_path: Path) -> None:
    file = tmp_path / "grey.png"
    Image.fromarray(np.full((16, 16), 77, np.uint8)).save(file)
    assert (read(file) == 77).all()


def test_black_and_white_images_become_rgb(tmp_path: Path) -> None:
    file = tmp_path / "bits.png"
    quarters().convert("1").save(file)
    assert set(np.unique(read(file, size=32))) == {0, 255}


@pytest.mark.parametrize("transparency", [None, 0, bytes([0, 128, 255])])
def test_palette_images_become_rgb(tmp_path: Path, transparency: int | bytes | None) -> None:
    file = tmp_path / "palette.png"
    settings = {} if transparency is None else {"transparency": transparency}
    quarters().quantize(8).save(file, **settings)  # type: ignore[arg-type]  # PNG's own
    assert corners(read(file)) == UPRIGHT


def test_transparency_is_dropped(tmp_path: Path) -> None:
    file = tmp_path / "clear.png"
    image = quarters().convert("RGBA")
    image.putalpha(128)
    image.save(file)
    assert corners(read(file)) == UPRIGHT


def test_cmyk_images_become_rgb(tmp_path: Path) -> None:
    file = tmp_path / "print.jpg"
    quarters().convert("CMYK").save(file, quality=95)
    found = np.array(corners(read(file)), dtype=int)
    assert np.abs(found - np.array(UPRIGHT)).max() < 40


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stored_lying_are_shown_upright(tmp_path: Path, orientation: int) -> None:
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = quarters()
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = image.transpose(turns[orientation]) if orientation > 1 else image
    file = tmp_path / "camera.png"
    stored.save(file, exif=exif)
    assert corners(read(file)) == UPRIGHT


@pytest.mark.parametrize("size", [(64, 32), (32, 64), (200, 20), (7, 5)])
def test_the_centre_is_cropped_without_distortion(tmp_path: Path, size: tuple[int, int]) -> None:
    file = tmp_path / "image.png"
    quarters(*size).save(file)
    pixels = read(file, size=16).astype(int)
    # Where the four colours meet stays in the middle.
    assert np.abs(pixels[2, 2] - UPRIGHT[0]).max() < 60
    assert np.abs(pixels[2, 13] - UPRIGHT[1]).max() < 60
    assert np.abs(pixels[13, 2] - UPRIGHT[2]).max() < 60
    assert np.abs(pixels[13, 13] - UPRIGHT[3]).max() < 60


def test_the_crop_keeps_its_share_of_the_shorter_side(tmp_path: Path) -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[16:48, 16:48] = 255  # the middle half
    file = tmp_path / "square.png"
    Image.fromarray(pixels).save(file)
    assert read(file, size=32, crop=0.5).min() > 100
    bright = read(file, size=32, crop=1.0)[16, :, 0] > 127
    assert bright.sum() == 16


def test_sixteen_bits_are_refused_rather_than_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "deep.png"
    Image.fromarray(np.full((16, 16), 40_000, np.uint16)).save(file)
    with pytest.raises(DataError, match=r"deep.png .*more than 8 bits per channel"):
        read(file)


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
    assert "replace it or move it out of the folder" in str(caught.value)


def test_an_image_too_large_to_be_true_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bomb.png"
    quarters().save(file)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match=r"bomb.png cannot be decoded"):
        read(file)


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
