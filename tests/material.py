"""Labelled image files for tests: real ones where there are some, synthetic ones anywhere."""

import io
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from robust_tuning.data.class_lists import read_classes

CIFAR_ARRAYS = "cifar10_lossless_train4000_test1000.npz"


@dataclass(frozen=True)
class Picture:
    """An image file and its label; `split` is `train` or `test`."""

    split: str
    label: str
    content: bytes

    @property
    def suffix(self) -> str:
        return ".png" if self.content.startswith(b"\x89PNG") else ".jpg"

    def pixels(self) -> NDArray[np.uint8]:
        """RGB, `(H, W, 3)`."""
        return np.array(Image.open(io.BytesIO(self.content)).convert("RGB"))


@dataclass(frozen=True)
class Material:
    """Pictures to lay out."""

    pictures: tuple[Picture, ...]

    @classmethod
    def from_zip(cls, path: Path, below: str = "") -> Self:
        """The files `SPLIT/CLASS/*` below a folder of a zip archive."""
        pictures = []
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.startswith(below):
                    split, label, _ = name.removeprefix(below).strip("/").split("/")
                    pictures.append(Picture(split, label, archive.read(name)))
        return cls(tuple(pictures))

    @classmethod
    def from_arrays(cls, path: Path) -> Self:
        """The images of an `.npz` file, in their order, as PNG that keeps every pixel."""
        with np.load(path) as archive:
            arrays = dict(archive)
        return cls(
            tuple(
                Picture(split, str(arrays["classes"][label]), _encode(pixels, "RGB", "PNG"))
                for split in ("train", "test")
                for pixels, label in zip(arrays[f"x_{split}"], arrays[f"y_{split}"], strict=True)
            )
        )

    @classmethod
    def synthetic(
        cls, classes: Sequence[str], train: int, test: int, seed: int = 0, side: int = 32
    ) -> Self:
        """Noise around a colour for each class, so many of them per class and split.

        JPEG, but for the second, which is a PNG with transparency; the first is grey. The official
        archives hold a few of both kinds, whatever their names say.
        """
        rng = np.random.default_rng(seed)
        colours = rng.integers(40, 216, (len(classes), 3))
        pictures: list[Picture] = []
        for split, n in (("train", train), ("test", test)):
            for label, colour in zip(classes, colours, strict=True):
                for _ in range(n):
                    noisy = colour + rng.normal(0, 20, (side, side, 3))
                    pixels = noisy.clip(0, 255).astype(np.uint8)
                    modes = [("L", "JPEG"), ("RGBA", "PNG"), ("RGB", "JPEG")]
                    content = _encode(pixels, *modes[min(len(pictures), 2)])
                    pictures.append(Picture(split, label, content))
        return cls(tuple(pictures))

    @property
    def classes(self) -> list[str]:
        return sorted({picture.label for picture in self.pictures})

    def of(self, split: str) -> list[Picture]:
        return [picture for picture in self.pictures if picture.split == split]

    def first(self, train: int, test: int) -> "Material":
        """The first pictures of each split."""
        return Material((*self.of("train")[:train], *self.of("test")[:test]))

    def renamed(self, names: Mapping[str, str]) -> "Material":
        """The same with other names for the classes that `names` holds."""
        return Material(tuple(replace(p, label=names.get(p.label, p.label)) for p in self.pictures))

    def by_class(self, classes: Sequence[str]) -> Iterator[tuple[int, list[Picture]]]:
        """Labels that occur, with their pictures, in which train and test are mixed.

        Raises:
            ValueError: If a picture is of none of `classes`.
        """
        groups = defaultdict(list)
        for picture in self.pictures:
            groups[classes.index(picture.label)].append(picture)
        for label in sorted(groups):
            order = np.random.default_rng(label).permutation(len(groups[label]))
            yield label, [groups[label][place] for place in order]


def real_cifar(data: Path, kind: Literal["cifar10", "cifar100"]) -> Material:
    """CIFAR-10 images; as `cifar100`, under the names of every tenth class of that benchmark."""
    material = Material.from_arrays(data / CIFAR_ARRAYS)
    if kind == "cifar10":
        return material
    pairs = zip(read_classes("cifar10"), read_classes("cifar100")[::10], strict=True)
    return material.renamed(dict(pairs))


def real_cub(data: Path) -> Material:
    """Twenty species. The archive numbers their folders within a subset, not as the benchmark."""
    material = Material.from_zip(data / "cub20hard.zip")
    folders = {folder[4:]: folder for folder in read_classes("cub200")}
    return material.renamed({label: folders[label[4:]] for label in material.classes})


def real_dogs(data: Path) -> Material:
    """Twenty breeds, in a split that is not the official one."""
    return Material.from_zip(data / "dogs20.zip")


def real_caltech256(data: Path) -> Material:
    """A stand-in: dogs under the names of the first twenty classes, five each of three more.

    The three are those with something odd in their folder, and the clutter.
    """
    dogs = real_dogs(data)
    names = dict(zip(dogs.classes, read_classes("caltech256"), strict=False))
    more = ("056.dog", "198.spider", "257.clutter")
    first, last = dogs.pictures[: -5 * len(more)], dogs.pictures[-5 * len(more) :]
    others = tuple(replace(p, label=more[place // 5]) for place, p in enumerate(last))
    return Material(Material(first).renamed(names).pictures + others)


def real_domainnet(data: Path) -> dict[str, Material]:
    """PACS, whose domains and classes DomainNet has as well; its persons are called `face`."""
    domains = {
        "clipart": "cartoon",
        "painting": "art_painting",
        "real": "photo",
        "sketch": "sketch",
    }
    return {
        domain: Material.from_zip(data / "pacs60.zip", f"{folder}/").renamed({"person": "face"})
        for domain, folder in domains.items()
    }


def _encode(pixels: NDArray[np.uint8], mode: str, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, kind)
    return buffer.getvalue()
