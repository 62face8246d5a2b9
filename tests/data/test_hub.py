import io
import os
import pickle
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from robust_tuning.data import CIFAR10, CIFAR100, CUB200, Caltech256, DomainNet, StanfordDogs
from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.data.class_lists import read_classes
from robust_tuning.data.file_benchmark import FileBenchmark
from robust_tuning.data.hub import HubImages, HubSource, load_table
from robust_tuning.data.image_files import EncodedExamples
from robust_tuning.data.views import WholeImage
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.types import ImageInput, Split

SIZES = {"train": 40, "test": 8}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The package of the extra, with a cache of its own and no way out."""
    reason = "the extra `hub` is not installed: pip install datasets"
    datasets = pytest.importorskip("datasets", reason=reason)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    yield datasets
    load_table.cache_clear()


def picture(split: str, row: int, side: int = 32) -> bytes:
    """One colour that says the split and the row."""
    colour = (row, 100 if split == "train" else 200, 7)
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(buffer, "PNG")
    return buffer.getvalue()


def publish(
    hub: Any,
    root: Path,
    image: str,
    columns: Mapping[str, Any],
    values: Mapping[str, Sequence[Any]],
    sizes: Mapping[str, int] = SIZES,
    damaged: Mapping[str, bytes | None] = {},
) -> str:
    """Write a table as the hub keeps it; `values` are repeated until there are enough."""
    features = hub.Features({image: hub.Image(), **columns})
    (root / "hub" / "data").mkdir(parents=True)
    for split, size in sizes.items():
        cells = [damaged.get(f"{split}/{row}", picture(split, row)) for row in range(size)]
        table = {
            image: [None if cell is None else {"bytes": cell, "path": None} for cell in cells],
            **{name: [v[row % len(v)] for row in range(size)] for name, v in values.items()},
        }
        path = root / "hub" / "data" / f"{split}-00000-of-00001.parquet"
        hub.Dataset.from_dict(table, features=features).to_parquet(path)
    return str(root / "hub")


def publish_birds(hub: Any, root: Path, **settings: Any) -> str:
    """As the study's CUB-200-2011; its classes have names of the table's own."""
    names = [f"bird {label}" for label in range(200)]
    columns = {"label": hub.ClassLabel(names=names)}
    return publish(hub, root, "image", columns, {"label": [3, 199, 0, 5]}, **settings)


def rows_of(examples: Any) -> list[tuple[int, int, int]]:
    """Row, label and index of every example; the row is read from the pixels."""
    batches = [examples[position] for position in range(len(examples))]
    for batch in batches:
        assert (batch.images == batch.images[:, :1, :1]).all()
    return [(int(b.images[0, 0, 0]), int(b.labels), int(b.indices)) for b in batches]


def check(
    data: BenchmarkDataModule,
    labels: Sequence[int],
    train: Sequence[int],
    test: Sequence[int],
) -> None:
    """Labels by row, indices and the three splits of a table of which some rows are in use."""
    seen: dict[Split, list[tuple[int, int, int]]] = {
        "train": rows_of(data.dataset("train")),
        "validation": rows_of(data.dataset("validation")),
        "test": rows_of(data.dataset("test")),
    }
    assert data.split_sizes == {split: len(rows) for split, rows in seen.items()}
    assert len(seen["validation"]) == round(len(train) / 10)
    learnt = sorted(seen["train"] + seen["validation"])
    assert learnt == [(row, labels[row % len(labels)], row) for row in train]
    assert seen["test"] == [(row, labels[row % len(labels)], SIZES["train"] + row) for row in test]
    assert list(data.labels("test")) == [label for _, label, _ in seen["test"]]
    assert data.identities("test") == [f"test/{row}" for row in test]
    shades = {int(data.dataset(split)[0].images[1, 0, 0]) for split in ("train", "validation")}
    assert (shades, int(data.dataset("test")[0].images[1, 0, 0])) == ({100}, 200)


def test_birds(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CUB200, "hub", HubSource(publish_birds(hub, tmp_path)))
    data = CUB200("nowhere", source="hub", image_size=16)
    data.prepare_data()
    check(data, [3, 199, 0, 5], range(40), range(8))
    assert (data.benchmark, data.num_classes) == ("CUB200-hub", 200)
    assert data.class_names[199] == "bird 199"


def test_objects_whose_labels_begin_with_one(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = {"label": hub.Value("int64"), "text": hub.Value("string")}
    text = ["ak47", "clutter", "american-flag"]
    values: dict[str, list[Any]] = {"label": [1, 257, 2], "text": text}
    sizes = {**SIZES, "validation": 5}  # which the study leaves alone
    repository = publish(hub, tmp_path, "image", columns, values, sizes)
    source = replace(Caltech256.hub or HubSource(""), repository=repository)
    monkeypatch.setattr(Caltech256, "hub", source)
    data = Caltech256("nowhere", source="hub", image_size=16)
    check(data, [0, 256, 1], range(40), range(8))
    named = [data.class_names[label] for label in (0, 256, 1)]
    assert (data.num_classes, named) == (257, text)


def test_dogs(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"label": hub.ClassLabel(names=list(read_classes("stanford_dogs")))}
    repository = publish(hub, tmp_path, "pixel_values", columns, {"label": [119, 0]})
    source = replace(StanfordDogs.hub or HubSource(""), repository=repository)
    monkeypatch.setattr(StanfordDogs, "hub", source)
    data = StanfordDogs("nowhere", source="hub", image_size=16)
    check(data, [119, 0], range(40), range(8))


def test_domains(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    domains = ["clipart", "infograph", "painting", "quickdraw", "real", "sketch"]
    columns = {
        "label": hub.ClassLabel(names=list(read_classes("domainnet"))),
        "domain": hub.ClassLabel(names=domains),
    }
    values = {"label": [344, 0, 40], "domain": [4, 5]}
    repository = publish(hub, tmp_path, "image", columns, values)
    source = replace(DomainNet.hub or HubSource(""), repository=repository)
    monkeypatch.setattr(DomainNet, "hub", source)
    sizes = {"real_train": 20, "real_test": 4}
    settings: dict[str, Any] = {"source": "hub", "expected": sizes, "image_size": 16}
    data = DomainNet("nowhere", domains=["real"], **settings)
    check(data, [344, 0, 40], range(0, 40, 2), range(0, 8, 2))
    assert data.benchmark == "DomainNet-hub-real"
    elsewhere = rows_of(data.domain_examples("sketch", "test"))
    assert elsewhere == [(row, [344, 0, 40][row % 3], 40 + row) for row in range(1, 8, 2)]


@pytest.mark.parametrize("kind", [CIFAR10, CIFAR100])
def test_small_photographs(
    kind: type[CIFAR10] | type[CIFAR100],
    hub: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    label = kind.files.hub.label
    columns = {label: hub.ClassLabel(names=list(read_classes(kind.files.classes)))}
    values = {label: [9, 0, 4]}
    if kind is CIFAR100:
        columns["coarse_label"] = hub.Value("int64")
        values["coarse_label"] = [1]
    repository = publish(hub, tmp_path, "img", columns, values)
    source = replace(kind.files.hub, repository=repository)
    monkeypatch.setattr(kind, "files", replace(kind.files, hub=source))
    data = kind("nowhere", source="hub", expected=SIZES)
    check(data, [9, 0, 4], range(40), range(8))
    assert data.dataset("test")[0].images.shape == (3, 32, 32)


@pytest.mark.parametrize("workers", [0, 2])
def test_workers(workers: int, hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CUB200, "hub", HubSource(publish_birds(hub, tmp_path)))
    data = CUB200("nowhere", source="hub", image_size=16, batch_size=8, num_workers=workers)
    seen = [
        (int(image[0, 0, 0]), int(label))
        for batch in data.train_dataloader()
        for image, label in zip(batch.images, batch.labels, strict=True)
    ]
    wanted = [(row, [3, 199, 0, 5][row % 4]) for row in data.split_listings["train"].indices]
    assert sorted(seen) == wanted


def test_pickled_examples_carry_names_and_no_images(hub: Any, tmp_path: Path) -> None:
    source = HubSource(publish_birds(hub, tmp_path))
    listing = source.listings(200)["train"]
    images = HubImages(source, listing.files)
    examples = EncodedExamples(images, listing.labels, listing.indices, WholeImage(ImageInput(16)))
    pickled = pickle.dumps(examples)
    assert len(pickled) < 4_000
    load_table.cache_clear()  # as a process that is spawned
    restored = pickle.loads(pickled)
    assert [int(restored[row].images[0, 0, 0]) for row in (0, 39)] == [0, 39]


def test_the_disk_cache_outlives_the_process_and_not_the_table(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CUB200, "hub", HubSource(publish_birds(hub, tmp_path)))
    settings: dict[str, Any] = {"image_size": 16, "cache": "disk", "cache_dir": str(tmp_path)}

    def keep() -> tuple[int, list[tuple[int, int, int]]]:
        load_table.cache_clear()
        examples = CUB200("nowhere", source="hub", num_workers=0, **settings).dataset("test")
        (kept,) = tmp_path.glob("CUB200-hub-*.images")
        return kept.stat().st_ino, rows_of(examples)

    first = keep()
    assert keep() == first
    published = tmp_path / "hub" / "data" / "test-00000-of-00001.parquet"
    table = hub.Dataset.from_parquet(str(published), cache_dir=str(tmp_path / "other"))
    table.select(range(7, -1, -1)).to_parquet(published)
    os.utime(published, (1, 1))
    inode, rows = keep()
    assert inode != first[0]
    assert [row for row, _, _ in rows] == list(range(7, -1, -1))


def test_images_are_not_decoded_before_they_are_fetched(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = {"train/5": b"no image", "test/2": None}
    repository = publish_birds(hub, tmp_path, damaged=damaged)
    monkeypatch.setattr(CUB200, "hub", HubSource(repository))
    data = CUB200("nowhere", source="hub", image_size=16, validation_fraction=0.01)
    train, test = data.training_examples(), data.dataset("test")
    place = data.identities("train").index("train/5")
    with pytest.raises(DataError, match=f"^{repository}:train/5 cannot be decoded .*data.skip"):
        train[place]
    with pytest.raises(DataError, match=f"^{repository}:test/2 holds no image; .*data.skip"):
        test[2]
    skip = tmp_path / "skip.txt"
    skip.write_text("train/5\ntest/2\n")
    data = CUB200("nowhere", source="hub", image_size=16, skip=str(skip))
    assert [row for row, _, _ in rows_of(data.dataset("test"))] == [0, 1, 3, 4, 5, 6, 7]
    assert 5 not in [row for row, _, _ in rows_of(data.dataset("train"))]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (HubSource("", first_label=1), "labels of train run from -1 to 198, expected 0 to 199"),
        (HubSource("", label="species"), "train has the columns image, label, expected image, sp"),
        (HubSource("", image="img"), "train has the columns image, label, expected img, label;"),
        (HubSource("", domain="domain"), "the columns image, label, expected image, label, domain"),
    ],
)
def test_another_table_is_refused(hub: Any, tmp_path: Path, source: HubSource, said: str) -> None:
    repository = publish_birds(hub, tmp_path)
    with pytest.raises(DataError, match=f"^{repository}: .*{said}.*changed on the hub"):
        replace(source, repository=repository).listings(200)


@pytest.mark.parametrize("values", [["1", "2"], [1, None]])
def test_labels_that_are_no_integers_are_refused(
    values: list[Any], hub: Any, tmp_path: Path
) -> None:
    kind = hub.Value("string" if values[0] == "1" else "int64")
    repository = publish(hub, tmp_path, "image", {"label": kind}, {"label": values})
    with pytest.raises(DataError, match=r"'label' of train holds .*, expected an integer"):
        HubSource(repository).listings(3)


def test_a_folder_without_tables_is_refused(hub: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty cannot be loaded from the hub"):
        HubSource(str(tmp_path / "empty")).listings(3)


def test_offline_the_tables_that_were_loaded_before_are_used(hub: Any, tmp_path: Path) -> None:
    load_table(HubSource(publish_birds(hub, tmp_path)), "train")
    (made,) = (tmp_path / "cache").rglob("dataset_info.json")
    kept = tmp_path / "cache" / "some___birds" / "default" / "0.0.0" / "abc"  # as if from the hub
    shutil.copytree(made.parent, kept)
    for file in kept.glob("*.arrow"):
        file.rename(kept / f"birds-{file.name.rpartition('-')[2]}")
    shutil.rmtree(tmp_path / "hub")
    source = HubSource("some/birds")
    assert [len(listing) for listing in source.listings(200).values()] == [40, 8]
    assert HubImages(source, ["test/3"]).read(0) == picture("test", 3)


@pytest.mark.parametrize("offline", [True, False])
def test_a_hub_out_of_reach_is_reported_within_seconds(
    offline: bool, hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = "http://127.0.0.1:9"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", closed)
    monkeypatch.setattr(hub.config, "HF_ENDPOINT", closed)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(hub.config, "HF_HUB_OFFLINE", offline)
    data = CUB200("nowhere", source="hub")
    began = time.monotonic()
    with pytest.raises(DataError, match=r"CUB_200_2011 cannot be loaded .* data.source: local$"):
        data.prepare_data()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("kind", [CUB200, Caltech256, StanfordDogs, DomainNet])
def test_a_missing_package_is_named(
    kind: type[FileBenchmark], monkeypatch: pytest.MonkeyPatch
) -> None:
    load_table.cache_clear()
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'robust-tuning\[hub\]'"):
        kind("nowhere", source="hub").prepare_data()
