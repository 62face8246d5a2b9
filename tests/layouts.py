"""Small material laid out on disk exactly as the official archives lay out theirs.

`python -m tests.layouts DATA_DIR OUT_DIR` lays out the real images of a folder for every
benchmark; tests that have to do without them take `Material.synthetic`. Classes go by the
benchmark's own names (`read_classes`), and a layout holds as many of them as the material does.
"""

import shutil
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.io import savemat  # type: ignore[import-untyped]  # it has no types

from robust_tuning.data.class_lists import read_classes
from tests.material import (
    Material,
    Picture,
    real_caltech256,
    real_cifar,
    real_cub,
    real_dogs,
    real_domainnet,
)
from tests.python2 import python2_pickle

_SPLITS = ("train", "test")


@dataclass(frozen=True)
class Counts:
    """How many images were laid out; `unlisted` ones are of no official split."""

    train: int = 0
    test: int = 0
    unlisted: int = 0


def lay_out_cifar(material: Material, root: Path, kind: Literal["cifar10", "cifar100"]) -> Counts:
    """`cifar-10-batches-py/` or `cifar-100-python/`, of images of 32x32."""
    names, train, test = list(read_classes(kind)), material.of("train"), material.of("test")
    files: dict[str, dict[str, Any]]
    if kind == "cifar10":
        folder = root / "cifar-10-batches-py"
        bounds = [len(train) * part // 5 for part in range(6)]
        files = {
            f"data_batch_{part}": {
                "batch_label": f"training batch {part} of 5",
                **_cifar_batch(train[bounds[part - 1] : bounds[part]], names, "labels"),
            }
            for part in range(1, 6)
        }
        test_batch = _cifar_batch(test, names, "labels")
        files["test_batch"] = {"batch_label": "testing batch 1 of 1", **test_batch}
        meta = {"num_cases_per_batch": bounds[1], "label_names": names, "num_vis": 3072}
        files["batches.meta"] = meta
    else:
        folder = root / "cifar-100-python"
        files = {split: _cifar_batch(material.of(split), names, "fine_labels") for split in _SPLITS}
        for batch in files.values():  # the official grouping is another
            batch["coarse_labels"] = [label // 5 for label in batch["fine_labels"]]
        coarse = [f"superclass_{number}" for number in range(20)]
        files["meta"] = {"fine_label_names": names, "coarse_label_names": coarse}
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file).write_bytes(python2_pickle(content))
    return Counts(len(train), len(test))


def lay_out_cub(material: Material, root: Path) -> Counts:
    """`CUB_200_2011/` with its images and the four lists of the official split."""
    folder, classes = root / "CUB_200_2011", read_classes("cub200")
    names: list[str] = []
    labels: list[int] = []
    flags: list[int] = []
    for label, pictures in material.by_class(classes):
        for place, picture in enumerate(pictures, 1):
            bird = picture.label[4:].title()
            names.append(f"{picture.label}/{bird}_{place:04d}_{790_000 + len(names)}.jpg")
            labels.append(label + 1)
            flags.append(int(picture.split == "train"))
            _write(folder / "images" / names[-1], picture.content)
    columns: dict[str, Sequence[str | int]] = {
        "images": names,
        "image_class_labels": labels,
        "train_test_split": flags,
        "classes": classes,
    }
    for name, column in columns.items():
        rows = "".join(f"{number} {value}\n" for number, value in enumerate(column, 1))
        (folder / f"{name}.txt").write_text(rows, encoding="utf-8")
    return Counts(sum(flags), len(flags) - sum(flags))


def lay_out_stanford_dogs(material: Material, root: Path, *, packed: bool = False) -> Counts:
    """`Images/` and three lists; or, `packed`, `images.tar` and `lists.tar`."""
    rows: dict[str, list[tuple[str, int]]] = {"file": [], "train": [], "test": []}
    for label, pictures in material.by_class(read_classes("stanford_dogs")):
        for place, picture in enumerate(pictures):
            name = f"{picture.label}/{picture.label.split('-')[0]}_{10 * place + 7}.jpg"
            _write(root / "Images" / name, picture.content)
            for split in ("file", picture.split):
                rows[split].append((name, label + 1))
    for split, entries in rows.items():
        files = np.array([[name] for name, _ in entries], dtype=object)
        stems = np.array([[name.removesuffix(".jpg")] for name, _ in entries], dtype=object)
        labels = np.array([[label] for _, label in entries], dtype=np.uint8)
        lists = {"file_list": files, "annotation_list": stems, "labels": labels}
        savemat(root / f"{split}_list.mat", lists)
    if packed:
        pack(root / "images.tar", root / "Images")
        pack(root / "lists.tar", *(root / f"{split}_list.mat" for split in rows))
    return Counts(len(rows["train"]), len(rows["test"]))


def lay_out_domainnet(
    domains: Mapping[str, Material], root: Path, surplus: int = 3
) -> dict[str, Counts]:
    """`DOMAIN/CLASS/DOMAIN_NNN_MMMMMM.jpg` and the lists `DOMAIN_train.txt`, `DOMAIN_test.txt`.

    In the first `surplus` classes of each domain, image 1 repeats image 2 and is in no list: the
    official archives hold such duplicates, which the lists leave out.
    """
    laid_out = {}
    for domain, material in domains.items():
        lines: dict[str, list[str]] = {split: [] for split in _SPLITS}
        groups = list(material.by_class(read_classes("domainnet")))
        for position, (label, pictures) in enumerate(groups):
            duplicates = pictures[:1] if position < surplus else []
            for number, picture in enumerate(duplicates + pictures, 1):
                file = f"{domain}_{label + 1:03d}_{number:06d}{picture.suffix}"
                name = f"{domain}/{picture.label}/{file}"
                _write(root / name, picture.content)
                if number > len(duplicates):
                    lines[picture.split].append(f"{name} {label}\n")
        for split, listed in lines.items():
            (root / f"{domain}_{split}.txt").write_text("".join(listed), encoding="utf-8")
        unlisted = min(surplus, len(groups))
        laid_out[domain] = Counts(len(lines["train"]), len(lines["test"]), unlisted)
    return laid_out


def lay_out_caltech256(material: Material, root: Path) -> Counts:
    """`256_ObjectCategories/NNN.name/NNN_MMMM.jpg` and the two official stray entries."""
    folder = root / "256_ObjectCategories"
    for label, pictures in material.by_class(read_classes("caltech256")):
        for number, picture in enumerate(pictures, 1):
            name = f"{picture.label}/{label + 1:03d}_{number:04d}.jpg"
            _write(folder / name, picture.content)
    _write(folder / "198.spider" / "RENAME2", b"stray\n")
    (folder / "056.dog" / "greg" / "vision309").mkdir(parents=True)
    return Counts(unlisted=len(material.pictures))


def lay_out_image_folder(material: Material, root: Path) -> Counts:
    """`train/CLASS/*` and `test/CLASS/*`."""
    for place, picture in enumerate(material.pictures):
        name = f"{picture.split}/{picture.label}/{place:05d}{picture.suffix}"
        _write(root / name, picture.content)
    return Counts(len(material.of("train")), len(material.of("test")))


def lay_out_domain_folders(
    domains: Mapping[str, Material], root: Path, *, cut: bool = True
) -> dict[str, Counts]:
    """`DOMAIN/train/CLASS/*` and `DOMAIN/test/CLASS/*`; where not `cut`, `DOMAIN/CLASS/*`."""
    laid_out = {}
    for domain, material in domains.items():
        for place, picture in enumerate(material.pictures):
            folder = f"{picture.split}/{picture.label}" if cut else picture.label
            _write(root / domain / folder / f"{place:05d}{picture.suffix}", picture.content)
        laid_out[domain] = Counts(len(material.of("train")), len(material.of("test")))
    return laid_out


def pack(archive: Path, *members: Path) -> None:
    """Move files and folders beside `archive` into it: `.zip`, `.tar`, `.tar.gz` or `.tgz`."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for path in (path for member in members for path in (member, *member.rglob("*"))):
                packed.write(path, path.relative_to(archive.parent))
    else:
        with tarfile.open(archive, "w" if archive.suffix == ".tar" else "w:gz") as tar:
            for member in members:
                tar.add(member, member.relative_to(archive.parent))
    for member in members:
        if member.is_dir():
            shutil.rmtree(member)
        else:
            member.unlink()


def _cifar_batch(pictures: Sequence[Picture], names: Sequence[str], key: str) -> dict[str, Any]:
    pixels = [picture.pixels().transpose(2, 0, 1).reshape(3072) for picture in pictures]
    return {
        "data": np.stack(pixels),
        key: [names.index(picture.label) for picture in pictures],
        "filenames": [f"{p.label}_s_{place:06d}.png" for place, p in enumerate(pictures)],
    }


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def lay_out_all(data: Path, out: Path) -> dict[str, Counts]:
    """Lay the real material of a folder out for every benchmark, each in a folder of its own."""
    dogs = real_dogs(data)
    domains = lay_out_domainnet(real_domainnet(data), out / "domainnet")
    return {
        "cifar10": lay_out_cifar(real_cifar(data, "cifar10"), out / "cifar10", "cifar10"),
        "cifar100": lay_out_cifar(real_cifar(data, "cifar100"), out / "cifar100", "cifar100"),
        "cub200": lay_out_cub(real_cub(data), out / "cub200"),
        "stanford_dogs": lay_out_stanford_dogs(dogs, out / "stanford_dogs"),
        "stanford_dogs_packed": lay_out_stanford_dogs(
            dogs, out / "stanford_dogs_packed", packed=True
        ),
        "caltech256": lay_out_caltech256(real_caltech256(data), out / "caltech256"),
        "image_folder": lay_out_image_folder(dogs, out / "image_folder"),
        **{f"domainnet/{domain}": counts for domain, counts in domains.items()},
    }


def main(arguments: Sequence[str]) -> int:
    """Lay everything out and say what there is."""
    if len(arguments) != 2:
        print("usage: python -m tests.layouts DATA_DIR OUT_DIR", file=sys.stderr)
        return 2
    for name, counts in lay_out_all(Path(arguments[0]), Path(arguments[1])).items():
        print(f"{name:22} {counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
