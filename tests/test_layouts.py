import io
import pickle
import pickletools
import re
import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat  # type: ignore[import-untyped]  # it has no types
from torchvision.datasets import CIFAR10, CIFAR100

from robust_tuning.data.class_lists import read_classes
from tests.layouts import (
    Counts,
    lay_out_all,
    lay_out_caltech256,
    lay_out_cifar,
    lay_out_cub,
    lay_out_domainnet,
    lay_out_image_folder,
    lay_out_stanford_dogs,
    pack,
)
from tests.material import Material, Picture, real_cub, real_domainnet

BIRDS = ["002.Laysan_Albatross", "022.Chuck_will_Widow", "200.Common_Yellowthroat"]
DOGS = ["n02085620-Chihuahua", "n02099267-flat-coated_retriever", "n02116738-African_hunting_dog"]
THINGS = ["dog", "t-shirt", "The_Eiffel_Tower"]


class UncheckedCIFAR10(CIFAR10):  # type: ignore[misc]  # torchvision has no types
    """An independent reader, for whose checksums our files are too small."""

    train_list: ClassVar = [(file, None) for file, _ in CIFAR10.train_list]
    test_list: ClassVar = [(file, None) for file, _ in CIFAR10.test_list]
    meta: ClassVar = {**CIFAR10.meta, "md5": None}


class UncheckedCIFAR100(CIFAR100):  # type: ignore[misc]  # torchvision has no types
    train_list: ClassVar = [(file, None) for file, _ in CIFAR100.train_list]
    test_list: ClassVar = [(file, None) for file, _ in CIFAR100.test_list]
    meta: ClassVar = {**CIFAR100.meta, "md5": None}


READERS: dict[str, Any] = {"cifar10": UncheckedCIFAR10, "cifar100": UncheckedCIFAR100}


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def table(path: Path) -> dict[int, str]:
    rows = (line.split(" ") for line in path.read_text().splitlines())
    return {int(number): value for number, value in rows}


def test_synthetic_material() -> None:
    material = Material.synthetic(BIRDS, train=3, test=2, side=9)
    assert material.classes == BIRDS
    assert Counter((p.split, p.label) for p in material.pictures) == {
        (split, bird): n for split, n in (("train", 3), ("test", 2)) for bird in BIRDS
    }
    assert len({p.content for p in material.pictures}) == 15
    assert material == Material.synthetic(BIRDS, train=3, test=2, side=9)
    images = [Image.open(io.BytesIO(p.content)) for p in material.pictures]
    assert [image.mode for image in images[:4]] == ["L", "RGBA", "RGB", "RGB"]
    assert [p.suffix for p in material.pictures[:3]] == [".jpg", ".png", ".jpg"]
    assert {image.size for image in images} == {(9, 9)}


@pytest.mark.parametrize("kind", ["cifar10", "cifar100"])
def test_torchvision_reads_the_cifar_layout(kind: str, tmp_path: Path) -> None:
    names = read_classes(kind)
    material = Material.synthetic([names[7], names[0], names[-1]], train=4, test=2)
    assert lay_out_cifar(material, tmp_path, kind) == Counts(12, 6)  # type: ignore[arg-type]  # str
    for split in ("train", "test"):
        read = READERS[kind](tmp_path, train=split == "train")
        pictures = material.of(split)
        assert read.targets == [names.index(p.label) for p in pictures]
        assert np.array_equal(read.data, np.stack([p.pixels() for p in pictures]))
        assert tuple(read.classes) == names


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_cifar_files_are_of_python_2(name: str, tmp_path: Path) -> None:
    lay_out_cifar(Material.synthetic(["frog", "ship"], 5, 1), tmp_path, "cifar10")
    content = (tmp_path / "cifar-10-batches-py" / name).read_bytes()
    opcodes = list(pickletools.genops(content))
    assert not [opcode.name for opcode, _, _ in opcodes if "UNICODE" in opcode.name]
    assert {value for opcode, value, _ in opcodes if opcode.name == "GLOBAL"} <= {
        "numpy.core.multiarray _reconstruct",
        "numpy ndarray",
        "numpy dtype",
    }
    keys = set(pickle.loads(content, encoding="bytes"))
    if name == "batches.meta":
        assert keys == {b"num_cases_per_batch", b"label_names", b"num_vis"}
    else:
        assert keys == {b"batch_label", b"labels", b"data", b"filenames"}
        with pytest.raises(UnicodeDecodeError):  # as with the official files
            pickle.loads(content)


def test_cifar100_keys(tmp_path: Path) -> None:
    lay_out_cifar(Material.synthetic(["worm", "apple"], 2, 1), tmp_path, "cifar100")
    folder = tmp_path / "cifar-100-python"
    assert files_below(tmp_path) == {f"cifar-100-python/{n}" for n in ("train", "test", "meta")}
    train = pickle.loads((folder / "train").read_bytes(), encoding="bytes")
    assert set(train) == {b"data", b"fine_labels", b"coarse_labels", b"filenames"}
    assert train[b"fine_labels"] == [99, 99, 0, 0]
    assert (train[b"data"].dtype, train[b"data"].shape) == (np.uint8, (4, 3072))


def read_cub(folder: Path) -> tuple[Counter[Picture], Counts]:
    """Join the lists and read what they name."""
    images, labels = table(folder / "images.txt"), table(folder / "image_class_labels.txt")
    flags, classes = table(folder / "train_test_split.txt"), table(folder / "classes.txt")
    assert list(images) == list(labels) == list(flags) == list(range(1, len(images) + 1))
    assert files_below(folder / "images") == set(images.values())
    pictures: Counter[Picture] = Counter()
    for number, path in images.items():
        split = {"1": "train", "0": "test"}[flags[number]]
        assert path.startswith(f"{classes[int(labels[number])]}/")
        content = (folder / "images" / path).read_bytes()
        pictures[Picture(split, classes[int(labels[number])], content)] += 1
    n = Counter(p.split for p in pictures.elements())
    return pictures, Counts(n["train"], n["test"])


def test_cub_lists_name_every_picture(tmp_path: Path) -> None:
    material = Material.synthetic(BIRDS, train=6, test=5)
    counts = lay_out_cub(material, tmp_path)
    assert read_cub(tmp_path / "CUB_200_2011") == (Counter(material.pictures), counts)
    lists = table(tmp_path / "CUB_200_2011" / "image_class_labels.txt")
    assert Counter(lists.values()) == {"2": 11, "22": 11, "200": 11}
    assert len(table(tmp_path / "CUB_200_2011" / "classes.txt")) == 200
    flags = "".join(table(tmp_path / "CUB_200_2011" / "train_test_split.txt").values())
    assert not re.fullmatch("(1+0+|0+1+){3}", flags), "train and test are mixed, as officially"


@pytest.mark.parametrize("packed", [False, True])
def test_dogs_lists_have_the_official_shapes(packed: bool, tmp_path: Path) -> None:
    material = Material.synthetic(DOGS, train=4, test=2)
    assert lay_out_stanford_dogs(material, tmp_path, packed=packed) == Counts(12, 6)
    if packed:
        assert files_below(tmp_path) == {"images.tar", "lists.tar"}
        for name in ("images.tar", "lists.tar"):
            with tarfile.open(tmp_path / name) as tar:
                _unpack(tar, tmp_path)
    read: Counter[Picture] = Counter()
    for split, n in (("train", 12), ("test", 6), ("file", 18)):
        lists = loadmat(tmp_path / f"{split}_list.mat")
        assert lists["file_list"].shape == lists["labels"].shape == (n, 1)
        assert lists["annotation_list"].shape == (n, 1)
        assert (lists["file_list"].dtype, lists["labels"].dtype) == (object, np.uint8)
        assert set(lists["labels"][:, 0].tolist()) == {1, 55, 120}
        for row, label in zip(lists["file_list"], lists["labels"], strict=True):
            path = str(row[0][0])
            folder = read_classes("stanford_dogs")[int(label[0]) - 1]
            assert re.fullmatch(rf"{folder}/{folder[:9]}_\d+\.jpg", path)
            if split != "file":
                read[Picture(split, folder, (tmp_path / "Images" / path).read_bytes())] += 1
    assert read == Counter(material.pictures)


def read_domain(root: Path, domain: str) -> tuple[Counter[Picture], Counts]:
    pictures: Counter[Picture] = Counter()
    listed = []
    for split in ("train", "test"):
        for line in (root / f"{domain}_{split}.txt").read_text().splitlines():
            path, label = line.split(" ")
            folder = read_classes("domainnet")[int(label)]
            number = f"{int(label) + 1:03d}"
            assert re.fullmatch(rf"{domain}/{folder}/{domain}_{number}_\d{{6}}\.(jpg|png)", path)
            pictures[Picture(split, folder, (root / path).read_bytes())] += 1
            listed.append(path)
    present = {f"{domain}/{file}" for file in files_below(root / domain)}
    assert set(listed) <= present
    n = Counter(p.split for p in pictures.elements())
    return pictures, Counts(n["train"], n["test"], len(present) - len(listed))


def test_domainnet_lists_leave_duplicates_out(tmp_path: Path) -> None:
    materials = {
        domain: Material.synthetic(THINGS, train=3, test=2, seed=seed)
        for seed, domain in enumerate(("real", "sketch"))
    }
    counts = lay_out_domainnet(materials, tmp_path, surplus=2)
    for domain, material in materials.items():
        assert counts[domain] == Counts(9, 6, 2)
        assert read_domain(tmp_path, domain) == (Counter(material.pictures), counts[domain])
    labels = {line.split(" ")[1] for line in (tmp_path / "real_test.txt").read_text().splitlines()}
    assert labels == {"91", "308", "327"}
    suffixes = {path.suffix for path in (tmp_path / "real").rglob("*.*")}
    assert suffixes == {".jpg", ".png"}


def test_caltech_folders_and_their_stray_entries(tmp_path: Path) -> None:
    classes = ["001.ak47", "056.dog", "198.spider", "257.clutter"]
    material = Material.synthetic(classes, train=2, test=1)
    assert lay_out_caltech256(material, tmp_path) == Counts(unlisted=12)
    folder = tmp_path / "256_ObjectCategories"
    assert files_below(folder) == {
        *(f"{name}/{name[:3]}_{number:04d}.jpg" for name in classes for number in (1, 2, 3)),
        "198.spider/RENAME2",
    }
    assert (folder / "056.dog" / "greg" / "vision309").is_dir()
    assert Counter((p.parent.name, p.read_bytes()) for p in folder.rglob("*.jpg")) == Counter(
        (p.label, p.content) for p in material.pictures
    )


def test_image_folder(tmp_path: Path) -> None:
    material = Material.synthetic(["ant", "bee"], train=2, test=1)
    assert lay_out_image_folder(material, tmp_path) == Counts(4, 2)
    read = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert Counter(Picture(p.parts[-3], p.parts[-2], p.read_bytes()) for p in read) == Counter(
        material.pictures
    )


def test_a_class_that_the_benchmark_lacks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not in"):
        lay_out_cub(Material.synthetic(["063.Black_throated_Sparrow"], 1, 1), tmp_path)


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz", ".tgz"])
def test_packed_folders_come_out_as_they_were(ending: str, tmp_path: Path) -> None:
    (tmp_path / "a" / "empty").mkdir(parents=True)
    (tmp_path / "a" / "b.txt").write_text("b")
    archive = tmp_path / f"packed{ending}"
    pack(archive, tmp_path / "a")
    assert {path.name for path in tmp_path.iterdir()} == {archive.name}
    if ending == ".zip":
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(tmp_path)
    else:
        with tarfile.open(archive, "r:" if ending == ".tar" else "r:gz") as tar:
            _unpack(tar, tmp_path)
    assert (tmp_path / "a" / "b.txt").read_text() == "b"
    assert (tmp_path / "a" / "empty").is_dir()


@pytest.mark.real_data
def test_real_material(real_data: Path, tmp_path: Path) -> None:
    counts = lay_out_all(real_data, tmp_path)
    assert counts["cifar10"] == counts["cifar100"] == Counts(4000, 1000)
    assert counts["caltech256"] == Counts(unlisted=1800)
    assert counts["stanford_dogs"] == counts["stanford_dogs_packed"] == Counts(1200, 600)
    with np.load(real_data / "cifar10_lossless_train4000_test1000.npz") as arrays:
        for kind, step in (("cifar10", 1), ("cifar100", 10)):
            read = READERS[kind](tmp_path / kind, train=True)
            assert np.array_equal(read.data, arrays["x_train"])
            assert read.targets == [step * int(label) for label in arrays["y_train"]]
    birds = read_cub(tmp_path / "cub200" / "CUB_200_2011")
    assert birds == (Counter(real_cub(real_data).pictures), counts["cub200"])
    assert counts["cub200"] == Counts(596, 600)
    for domain, material in real_domainnet(real_data).items():
        read_counts = Counts(280, 140, 3)
        assert read_domain(tmp_path / "domainnet", domain) == (
            Counter(material.pictures),
            read_counts,
        )
        assert counts[f"domainnet/{domain}"] == read_counts


@pytest.mark.real_data
def test_real_birds_go_by_their_official_numbers(real_data: Path) -> None:
    birds = real_cub(real_data).classes
    assert (birds[0], birds[-1]) == ("114.Black_throated_Sparrow", "198.Rock_Wren")
    with zipfile.ZipFile(real_data / "cub20hard.zip") as archive:
        names = {name.split("/")[1][4:] for name in archive.namelist()}
    assert {bird[4:] for bird in birds} == names
    assert len(birds) == 20


def _unpack(tar: tarfile.TarFile, folder: Path) -> None:
    if hasattr(tarfile, "data_filter"):  # Python 3.11.4
        tar.extractall(folder, filter="data")
    else:
        tar.extractall(folder)
