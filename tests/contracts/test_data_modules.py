"""The laws of `BenchmarkDataModule`, on every concrete subclass that the package holds."""

import copy
import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset

import robust_tuning.data
from robust_tuning.data import (
    CIFAR10,
    CIFAR100,
    CUB200,
    BenchmarkDataModule,
    Caltech256,
    Digits,
    DomainFolders,
    DomainNet,
    ImageArrays,
    ImageFolder,
    StanfordDogs,
)
from robust_tuning.errors import ConfigurationError
from robust_tuning.types import Batch, ImageInput, Split
from tests.data.small_benchmarks import lay_out
from tests.layouts import lay_out_domain_folders
from tests.material import Material

IN_OFFICIAL_LAYOUT = (CIFAR10, CIFAR100, CUB200, Caltech256, DomainNet, StanfordDogs)
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
CLASSES = ("ant", "bee", "cat")


def data_modules() -> list[type[BenchmarkDataModule]]:
    package = robust_tuning.data
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    found, queue = [], [BenchmarkDataModule]
    while queue:
        for child in queue.pop().__subclasses__():
            queue.append(child)
            if not inspect.isabstract(child) and child.__module__.startswith(package.__name__):
                found.append(child)
    return sorted(found, key=lambda kind: kind.__name__)


def arrays(folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    content: dict[str, Any] = {"classes": np.array(CLASSES)}
    for source, n in (("train", 60), ("test", 12)):
        content[f"x_{source}"] = rng.integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)
        content[f"y_{source}"] = np.arange(n) % 3
    np.savez(folder / "made.npz", **content)
    return {"path": str(folder / "made.npz")}


def images(folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    for split, n in (("train", 20), ("test", 4)):
        for name in CLASSES:
            home = folder / split / name
            home.mkdir(parents=True)
            for number in range(n):
                pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(home / f"{number}.png")
    return {"root": str(folder), "image_size": 8}


def domains(folder: Path) -> dict[str, Any]:
    made = {
        name: Material.synthetic(CLASSES, train=20, test=4, seed=seed, side=8)
        for seed, name in enumerate(("photo", "sketch", "comic"))
    }
    lay_out_domain_folders(made, folder)
    return {"root": str(folder), "domains": ["photo", "sketch"], "image_size": 8}


# How to feed each module: a new one is added here, or the suite fails.
MATERIAL: dict[type[BenchmarkDataModule], Callable[[Path], dict[str, Any]]] = {
    Digits: lambda _: {},
    DomainFolders: domains,
    ImageArrays: arrays,
    ImageFolder: images,
    **{kind: partial(lay_out, kind) for kind in IN_OFFICIAL_LAYOUT},
}


@pytest.fixture(params=data_modules(), ids=lambda kind: kind.__name__)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., BenchmarkDataModule]:
    kind = request.param
    assert kind in MATERIAL, f"say in MATERIAL how {kind.__name__} gets its files"
    settings = MATERIAL[kind](tmp_path)
    return lambda **more: kind(**{"num_workers": 0, **settings, **more})


def indices(examples: Dataset[Batch]) -> list[int]:
    return [int(examples[i].indices) for i in range(len(examples))]  # type: ignore[arg-type]  # sized


def test_the_classes_are_known_before_any_split_is_loaded(
    make: Callable[..., BenchmarkDataModule],
) -> None:
    data = make()
    assert data.num_classes == len(data.class_names) >= 2
    assert all(isinstance(name, str) for name in data.class_names)
    assert data.benchmark


def test_splits_are_disjoint_and_every_example_has_an_index_of_its_own(
    make: Callable[..., BenchmarkDataModule],
) -> None:
    data = make()
    found = {split: indices(data.dataset(split)) for split in SPLITS}
    together = [index for split in SPLITS for index in found[split]]
    assert len(together) == len(set(together))
    assert all(found.values())
    identities = [name for split in SPLITS for name in data.identities(split)]
    assert len(identities) == len(together)


def test_labels_are_those_of_the_examples_and_classes_of_the_benchmark(
    make: Callable[..., BenchmarkDataModule],
) -> None:
    data = make()
    for split in SPLITS:
        examples, labels = data.dataset(split), data.labels(split)
        assert labels.dtype == np.int64
        assert [int(examples[i].labels) for i in range(len(labels))] == labels.tolist()
        assert len(set(labels)) >= 3
        assert set(labels) == set(data.labels("test"))
        assert 0 <= labels.min() <= labels.max() < data.num_classes
        assert len(data.identities(split)) == len(labels)


def test_splits_keep_the_class_proportions(make: Callable[..., BenchmarkDataModule]) -> None:
    data = make()
    train, validation = (
        np.bincount(data.labels(split), minlength=data.num_classes) / len(data.labels(split))
        for split in SPLITS[:2]
    )
    assert np.abs(train - validation).max() < 0.1


def test_splits_and_subsets_are_the_same_in_every_run(
    make: Callable[..., BenchmarkDataModule],
) -> None:
    one, other = make(), make(seed=9, batch_size=5, eval_batch_size=3, num_workers=2)
    for split in SPLITS:
        assert indices(one.dataset(split)) == indices(other.dataset(split))
        for n in (1, 4):
            subset = indices(one.evaluation_examples(split, n))
            assert subset == indices(other.evaluation_examples(split, n))
            assert subset == indices(one.evaluation_examples(split, 6))[:n]


def test_batches_hold_three_channels_of_pixels_and_integers(
    make: Callable[..., BenchmarkDataModule],
) -> None:
    data = make(batch_size=5, eval_batch_size=7)
    for loader, size in ((data.train_dataloader(), 5), (data.val_dataloader(), None)):
        batch = next(iter(loader))
        assert isinstance(batch, Batch)
        assert batch.images.shape[:2] == (size or min(7, len(data.labels("validation"))), 3)
        if batch.images.dtype != torch.uint8:
            assert batch.images.dtype == torch.float32
            assert batch.images.min() >= 0
            assert batch.images.max() <= 1
        assert batch.labels.dtype == batch.indices.dtype == torch.int64


def test_loaders_give_every_example_once(make: Callable[..., BenchmarkDataModule]) -> None:
    data = make(batch_size=7, eval_batch_size=7)
    loaders = (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())
    for split, loader in zip(SPLITS, loaders, strict=True):
        found = torch.cat([batch.indices for batch in loader]).tolist()
        assert sorted(found) == sorted(indices(data.dataset(split)))


def test_workers_change_nothing(make: Callable[..., BenchmarkDataModule]) -> None:
    alone, helped = make(eval_batch_size=9), make(eval_batch_size=9, num_workers=2)
    for one, other in zip(alone.test_dataloader(), helped.test_dataloader(), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_limit_takes_as_many_of_the_same_examples(
    make: Callable[..., BenchmarkDataModule],
) -> None:
    whole = set(indices(make().dataset("train")))
    limited = indices(make(train_limit=9).dataset("train"))
    assert len(set(limited)) == 9
    assert set(limited) <= whole


def test_a_module_can_be_copied_and_pickled(make: Callable[..., BenchmarkDataModule]) -> None:
    data = make()
    expected = indices(data.evaluation_examples("test", 5))
    for again in (copy.deepcopy(data), pickle.loads(pickle.dumps(data))):
        assert indices(again.evaluation_examples("test", 5)) == expected


def test_a_batch_size_below_one_is_refused(make: Callable[..., BenchmarkDataModule]) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.batch_size is 0"):
        make(batch_size=0)


def test_every_init_argument_is_kept_under_its_name(
    make: Callable[..., BenchmarkDataModule],
) -> None:
    data = make()
    assert all(hasattr(data, name) for name in inspect.signature(type(data)).parameters)


def test_sizes_are_those_of_the_splits(make: Callable[..., BenchmarkDataModule]) -> None:
    data = make()
    said = data.split_sizes
    assert said == {split: len(data.dataset(split)) for split in SPLITS}  # type: ignore[arg-type]  # sized


def test_images_come_at_the_size_of_the_backbone_or_at_their_own(
    make: Callable[..., BenchmarkDataModule],
) -> None:
    data = make(batch_size=4, eval_batch_size=4)
    data.match(ImageInput(20, 0.9))
    loaders = (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())
    sizes = {tuple(next(iter(loader)).images.shape[-2:]) for loader in loaders}
    own = {(8, 8), (32, 32)}
    assert len(sizes) == 1
    assert sizes <= own | {(20, 20)}


@pytest.mark.parametrize("augmentation", ["crop_flip", "randaugment"])
def test_augmentation_differs_between_epochs_and_not_between_runs(
    make: Callable[..., BenchmarkDataModule], augmentation: str
) -> None:
    def epoch(number: int, workers: int, batch_size: int) -> dict[int, torch.Tensor]:
        data = make(augmentation=augmentation, num_workers=workers, batch_size=batch_size)
        loader = data.train_dataloader()
        loader.sampler.set_epoch(number)  # type: ignore[attr-defined]  # as Lightning does
        return {
            int(index): image
            for batch in loader
            for index, image in zip(batch.indices, batch.images, strict=True)
        }

    first, other, second = epoch(0, 0, 4), epoch(0, 2, 7), epoch(1, 0, 4)
    assert first.keys() == other.keys() == second.keys()
    assert all(torch.equal(first[index], other[index]) for index in first)
    changed = [not torch.equal(first[index], second[index]) for index in first]
    assert sum(changed) > 0.8 * len(changed)


def test_evaluation_is_never_augmented(make: Callable[..., BenchmarkDataModule]) -> None:
    plain, augmented = make(), make(augmentation="randaugment")
    for split in SPLITS:
        one, other = (data.evaluation_examples(split, 3) for data in (plain, augmented))
        assert all(torch.equal(one[i].images, other[i].images) for i in range(3))


def test_an_unknown_augmentation_is_refused(make: Callable[..., BenchmarkDataModule]) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.augmentation is 'mixup', expected one of"):
        make(augmentation="mixup")
