"""Images per second: our loaders, the study's way and torchvision's, on the same real files.

    OMP_NUM_THREADS=1 python benchmarks/loading.py [--rounds 7] [--workers 2] [--json FILE]

The environment variable ROBUST_TUNING_REAL_DATA names a folder with `cub20hard.zip`, `dogs20.zip`
(`SPLIT/CLASS/*.jpg` in each) and `cifar10_lossless_train4000_test1000.npz`; beside the package,
`pip install datasets transformers`.

Every contender runs one epoch per round with a loader of its own, in turn, so that what else the
machine does hits all alike; the first round warms up, and has read every file once. Ratios are
taken within a round. CPU time is that of all processes together, and depends less on a busy
machine. docs/loading.md says what came out.
"""

import argparse
import io
import json
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets as tv_datasets
from torchvision.transforms import InterpolationMode, v2

from robust_tuning.backbones import BackboneConfig, create_backbone
from robust_tuning.data import ImageArrays, ImageFolder
from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.data.cache import Cache
from robust_tuning.types import Batch

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here is on the hub
try:
    import datasets
    import transformers
    from transformers import ViTImageProcessor, ViTImageProcessorPil
except ImportError as error:
    sys.exit(f"{error}: to compare with the study, pip install datasets 'transformers>=5'")

BATCH_SIZE = 128  # the study's and ours
STUDY, TODAY = "the study as it runs", "the study with transformers 5"
PEER = "torchvision v2"
TRAINING, EVALUATION, ARRAYS = "ours, training view", "ours, evaluation view", "ours, 32 px"
ON_DEVICE = " + device's part"


@dataclass
class Contender:
    """A way to load all images once, and how fast it was in each round."""

    name: str
    workers: int
    batches: Callable[[], Iterable[Any]]
    finish: Callable[[Any], object] | None = None
    per_second: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def run(self) -> None:
        """One epoch, from nothing."""
        began, cpu_began = time.perf_counter(), cpu_seconds()
        images = 0
        for batch in self.batches():
            images += len(batch["labels"] if isinstance(batch, dict) else batch[1])
            if self.finish is not None:
                self.finish(batch)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.per_second.append(images / (time.perf_counter() - began))
        self.cpu_ms.append(1e3 * (cpu_seconds() - cpu_began) / images)


def cpu_seconds() -> float:
    """Of this process and of workers that have ended.

    Ours live until the next epoch's loader takes their place: every round has one epoch's anyway.
    """
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class StudyCollate:
    """As in the study: the processor is called on one PIL image after another."""

    def __init__(self, processor: Callable[..., Any], image: str) -> None:
        self.processor, self.image = processor, image

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        """Make a batch of rows."""
        images = (row[self.image] for row in rows)
        upright = (image if image.mode == "RGB" else image.convert("RGB") for image in images)
        pixels = [
            self.processor(image, return_tensors="pt")["pixel_values"][0] for image in upright
        ]
        labels = torch.tensor([row["label"] for row in rows])
        return {"pixel_values": torch.stack(pixels), "labels": labels}


def study(
    folder: Path, files: list[bytes], labels: list[int], image: str, workers: int
) -> list[Contender]:
    """The study's table, 90 % of it, through its collate function.

    Its code sets no workers. It asks for `AutoImageProcessor`, which works with Pillow in the
    transformers that its adapter library admits (up to 4.57), and with torchvision in version 5.
    """
    features = datasets.Features(
        {image: datasets.Image(), "label": datasets.ClassLabel(names=sorted(map(str, set(labels))))}
    )
    columns = {image: [{"bytes": content, "path": None} for content in files], "label": labels}
    parquet = folder / "table" / "data" / "train-00000-of-00001.parquet"
    parquet.parent.mkdir(parents=True)
    datasets.Dataset.from_dict(columns, features=features).to_parquet(parquet)
    table = datasets.load_dataset(
        str(folder / "table"), split="train", cache_dir=str(folder / "datasets")
    )
    table = table.train_test_split(test_size=0.1)["train"]
    processors = {STUDY: ViTImageProcessorPil, TODAY: ViTImageProcessor}
    contenders = []
    for name, kind in processors.items():
        # google/vit-base-patch16-224-in21k
        processor = kind(
            size={"height": 224, "width": 224},
            resample=Image.Resampling.BILINEAR,
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
        )
        for count in sorted({0, workers}):
            loader = DataLoader(
                table,
                BATCH_SIZE,
                shuffle=True,
                num_workers=count,
                collate_fn=StudyCollate(processor, image),
            )
            contenders.append(Contender(name, count, loader.__iter__))
    return contenders


def peer_transform(*geometry: v2.Transform) -> v2.Compose:
    """To float32 in [0, 1]."""
    return v2.Compose([v2.ToImage(), *geometry, v2.ToDtype(torch.float32, scale=True)])


class PillowArrays(Dataset[tuple[Tensor, int]]):
    """As torchvision's CIFAR10: a Pillow image of each row goes through the transform."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: v2.Compose) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[row])), int(self.labels[row])


def unpack(archive: Path, root: Path) -> list[Path]:
    """All images of an archive, those of `train/` and of `test/`, as either split."""
    with zipfile.ZipFile(archive) as packed:
        for name in packed.namelist():
            split, label, file = name.split("/")
            place = root / "all" / label / f"{split}-{file}"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(packed.read(name))
    for split in ("train", "test"):
        (root / split).symlink_to("all")
    return sorted((root / "all").rglob("*.jpg"))


def ours(
    name: str, data: BenchmarkDataModule, loader: Callable[[], Iterable[Batch]]
) -> list[Contender]:
    """Our loader alone, and with what is left to the device: resizing, [0, 1], normalisation."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    config = BackboneConfig("vit_tiny_patch16_224", pretrained=False)
    backbone = create_backbone(config, num_classes=2).to(device)

    def finish(batch: Batch) -> Tensor:
        pixels: Tensor = backbone.normalize(backbone.prepare(batch.images.to(device)))
        return pixels

    workers = data.workers_for(data.dataset("train"))
    return [
        Contender(name, workers, loader),
        Contender(name + ON_DEVICE, workers, loader, finish),
    ]


def photographs(
    archive: Path, folder: Path, workers: int
) -> tuple[list[Contender], dict[str, float]]:
    """The contenders on folders of JPEGs, and how long our caches took to build."""
    files = unpack(archive, folder / "images")
    classes = sorted({file.parent.name for file in files})
    labels = [classes.index(file.parent.name) for file in files]
    contenders = study(folder, [file.read_bytes() for file in files], labels, "image", workers)
    transform = peer_transform(
        v2.Resize(256, InterpolationMode.BICUBIC, antialias=True), v2.CenterCrop(224)
    )
    peer = DataLoader(
        tv_datasets.ImageFolder(str(folder / "images" / "test"), transform),
        BATCH_SIZE,
        num_workers=workers,
    )
    contenders.append(Contender(PEER, workers, peer.__iter__))
    seconds = {}
    caches: tuple[Cache, ...] = ("none", "ram", "disk")
    for cache in caches:
        data = ImageFolder(
            str(folder / "images"),
            cache=cache,
            cache_dir=str(folder / "cache"),
            eval_batch_size=BATCH_SIZE,
            num_workers=workers,
        )
        began = time.perf_counter()
        data.training_examples()
        if cache != "none":
            seconds[f"building the {cache} cache"] = time.perf_counter() - began
        suffix = "" if cache == "none" else f", {cache} cache"
        contenders += ours(TRAINING + suffix, data, data.train_dataloader)
        if cache == "none":
            require_equal_pixels(peer, data.test_dataloader())
            contenders += ours(EVALUATION, data, data.test_dataloader)
    return contenders, seconds


def cifar(path: Path, folder: Path, workers: int) -> tuple[list[Contender], dict[str, float]]:
    """The contenders on images of 32 pixels; ours are in memory from the beginning."""
    with np.load(path) as arrays:
        images, labels = arrays["x_train"], arrays["y_train"]
    contenders = study(folder, [png(image) for image in images], labels.tolist(), "img", workers)
    resize = v2.Resize((224, 224), InterpolationMode.BICUBIC, antialias=True)
    peer = DataLoader(
        PillowArrays(images, labels, peer_transform(resize)),
        BATCH_SIZE,
        shuffle=True,
        num_workers=workers,
    )
    contenders.append(Contender(PEER, workers, peer.__iter__))
    data = ImageArrays(str(path))
    began = time.perf_counter()
    data.training_examples()
    seconds = time.perf_counter() - began
    return contenders + ours(ARRAYS, data, data.train_dataloader), {"reading the arrays": seconds}


def png(pixels: np.ndarray) -> bytes:
    """As the hub's table keeps them."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def require_equal_pixels(peer: Iterable[Any], evaluation: Iterable[Batch]) -> None:
    """Both sides of the comparison show the same: within one grey level."""
    theirs, batch = next(iter(peer))[0], next(iter(evaluation))
    furthest = (theirs * 255 - batch.images).abs().max().item()
    if furthest > 1.001:
        sys.exit(f"torchvision's images and ours differ by {furthest:.1f} grey levels")


def goals(contenders: list[Contender]) -> list[dict[str, Any]]:
    """What we want of the loader; and the same with the device's part, for which it waits here."""
    named = {row.name: row for row in reversed(contenders)}  # the study's without workers
    photographs = TRAINING in named
    caches = [name for name in named if name.endswith("cache")] or [ARRAYS]
    wanted = [
        ("first epoch", TRAINING if photographs else ARRAYS, STUDY, 5.0),
        ("first epoch", EVALUATION if photographs else ARRAYS, PEER, 1.3),
        *(("later epochs", name, STUDY, 10.0) for name in reversed(caches)),
    ]
    return [
        {
            "goal": f"{what}, {name}: {goal:g}x {other}",
            "ratios": ratios(named[name], named[other]),
            "ratios_with_device": ratios(named[name + ON_DEVICE], named[other]),
            "reached": statistics.median(ratios(named[name], named[other])) >= goal,
        }
        for what, name, other, goal in wanted
    ]


def ratios(row: Contender, other: Contender) -> list[float]:
    """How many times as fast, in each round."""
    return [a / b for a, b in zip(row.per_second, other.per_second, strict=True)]


def measure(contenders: list[Contender], rounds: int) -> None:
    """Every contender once per round, in one direction and then in the other."""
    for number in range(rounds + 1):
        for contender in contenders if number % 2 else reversed(contenders):
            contender.run()
    for contender in contenders:
        del contender.per_second[0], contender.cpu_ms[0]


def spread(values: list[float], digits: int = 0) -> str:
    """Median, lowest and highest."""
    low, middle, high = (
        f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values))
    )
    return f"{middle} ({low} to {high})"


def show(title: str, contenders: list[Contender], seconds: dict[str, float]) -> None:
    """A table, and the goals below it."""
    as_is = next(row for row in contenders if row.name == STUDY)
    peer = next(row for row in contenders if row.name == PEER)
    print(
        f"\n| {title} | workers | images/s (lowest to highest) | x study | x torchvision ", end=""
    )
    print("| CPU ms per image | x study | x torchvision |\n|---|---|---|---|---|---|---|---|")
    for row in contenders:
        times = [f"{statistics.median(ratios(row, other)):.2f}" for other in (as_is, peer)]
        cpu = [statistics.median(other.cpu_ms) for other in (row, as_is, peer)]
        costs = [f"{cpu[0]:.2f}", f"{cpu[1] / cpu[0]:.2f}", f"{cpu[2] / cpu[0]:.2f}"]
        cells = [row.name, str(row.workers), spread(row.per_second), *times, *costs]
        print(f"| {' | '.join(cells)} |")
    print()
    for what, took in seconds.items():
        print(f"{what}: {took:.2f} s")
    for goal in goals(contenders):
        verdict = "reached" if goal["reached"] else "MISSED "
        print(f"{verdict} {goal['goal']}: {spread(goal['ratios'], 2)}; ", end="")
        print(f"with the device's part {spread(goal['ratios_with_device'], 2)}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if "ROBUST_TUNING_REAL_DATA" not in os.environ:
        sys.exit("ROBUST_TUNING_REAL_DATA is not set, expected the folder with real images")
    material = Path(os.environ["ROBUST_TUNING_REAL_DATA"])
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    datasets.disable_progress_bars()
    versions = {m.__name__: m.__version__ for m in (torch, datasets, transformers)}
    setting = {
        **versions,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "rounds": arguments.rounds,
        "batch_size": BATCH_SIZE,
    }
    print(", ".join(f"{key} {value}" for key, value in setting.items()))
    report: dict[str, Any] = {"setting": setting, "benchmarks": {}}
    files = {
        "cub20hard": (photographs, "cub20hard.zip"),
        "dogs20": (photographs, "dogs20.zip"),
        "cifar10": (cifar, "cifar10_lossless_train4000_test1000.npz"),
    }
    for title, (build, file) in files.items():
        with tempfile.TemporaryDirectory() as folder:
            contenders, seconds = build(material / file, Path(folder), arguments.workers)
            measure(contenders, arguments.rounds)
        show(title, contenders, seconds)
        rows = [
            {k: getattr(r, k) for k in ("name", "workers", "per_second", "cpu_ms")}
            for r in contenders
        ]
        report["benchmarks"][title] = {"rows": rows, "seconds": seconds, "goals": goals(contenders)}
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
