"""The laws of `Shift`, on every concrete subclass that the package holds."""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import robust_tuning.shifts
from robust_tuning.data import CIFAR10, BenchmarkDataModule, DomainFolders
from robust_tuning.data.class_lists import read_classes
from robust_tuning.data.external import CIFAR_10_1
from robust_tuning.plugins import from_spec, spec_of
from robust_tuning.shifts import (
    CIFAR101,
    STL10,
    Corruptions,
    Domains,
    FolderShift,
    Shift,
    ShiftedSet,
    StoredCorruptions,
)
from robust_tuning.shifts.evaluation import shifted
from robust_tuning.types import Batch, ImageInput
from tests.data.damage import encoded
from tests.data.damage import noise as picture
from tests.data.external.stored import lay_out_corruptions, lay_out_stl, noise
from tests.data.small_benchmarks import lay_out
from tests.layouts import lay_out_domain_folders
from tests.material import Material

Case = tuple[BenchmarkDataModule, Shift]
LABELS = np.arange(40) % 10


def cifar(folder: Path) -> CIFAR10:
    source = CIFAR10(**lay_out(CIFAR10, folder / "clean"))
    source.match(ImageInput(size=32))
    return source


def corruptions(folder: Path) -> Case:
    return cifar(folder), Corruptions(corruptions=["fog", "jpeg_compression"], severities=[1, 4])


def stored_corruptions(folder: Path) -> Case:
    source = cifar(folder)
    whole = source.dataset("test")
    pixels = whole.images.permute(0, 2, 3, 1).numpy()  # type: ignore[attr-defined]  # of tensors
    labels = whole.labels.numpy()  # type: ignore[attr-defined]  # of tensors
    lay_out_corruptions(folder / "CIFAR-10-C", ["fog", "snow"], pixels, labels)
    return source, StoredCorruptions(str(folder), corruptions=["fog", "snow"], expected=40)


def cifar101(folder: Path) -> Case:
    pixels, labels = CIFAR_10_1.parts["v6"].files
    np.save(folder / pixels, noise(40))
    np.save(folder / labels, LABELS.astype(np.int32))
    return cifar(folder), CIFAR101(str(folder), expected=40)


def stl10(folder: Path) -> Case:
    lay_out_stl(folder / "stl10_binary", noise(40, side=96), LABELS, "test")
    return cifar(folder), STL10(str(folder), expected=40, masked=True)


def pictures(folder: Path) -> Case:
    for name in read_classes("cifar10")[:3]:
        (folder / "new" / name).mkdir(parents=True)
        for number in range(4):
            (folder / "new" / name / f"{number}.jpg").write_bytes(encoded(picture(number, side=40)))
    return cifar(folder), FolderShift(str(folder / "new"), masked=True)


def domains(folder: Path) -> Case:
    made = {
        name: Material.synthetic(("ant", "bee"), train=4, test=6, seed=seed)
        for seed, name in enumerate("pqr")
    }
    lay_out_domain_folders(made, folder / "pics")
    source = DomainFolders(str(folder / "pics"), domains=["p"], image_size=16, num_workers=0)
    return source, Domains()


# How to feed each shift: a new one is added here, or the suite fails.
MATERIAL: dict[type[Shift], Callable[[Path], Case]] = {
    Corruptions: corruptions,
    StoredCorruptions: stored_corruptions,
    CIFAR101: cifar101,
    STL10: stl10,
    FolderShift: pictures,
    Domains: domains,
}


def kinds() -> list[type[Shift]]:
    package = robust_tuning.shifts
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    found, queue = [], [Shift]
    while queue:
        for child in queue.pop().__subclasses__():
            queue.append(child)
            if not inspect.isabstract(child) and child.__module__.startswith(package.__name__):
                found.append(child)
    return sorted(found, key=lambda kind: kind.__name__)


@pytest.fixture(params=kinds(), ids=lambda kind: kind.__name__)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    assert request.param in MATERIAL, f"say in MATERIAL how {request.param.__name__} is fed"
    return MATERIAL[request.param](tmp_path)


def batch_of(one: ShiftedSet) -> Batch:
    examples = [one.examples[i] for i in range(len(one.examples))]  # type: ignore[arg-type]  # sized
    batch = Batch(*(torch.stack(parts) for parts in zip(*examples, strict=True)))
    return Batch(shifted(one, batch, torch.device("cpu")), batch.labels, batch.indices)


def test_sets_are_labelled_images_of_the_benchmark(case: Case) -> None:
    source, shift = case
    sets = shift.sets(source, "test", None)
    assert len({one.key for one in sets}) == len(sets) > 0
    for one in sets:
        batch = batch_of(one)
        assert batch.images.dtype == torch.uint8
        assert batch.images.shape[1] == 3
        assert one.labels == shift.label_map(source)
        assert one.labels.classes == source.class_names
        assert set(batch.labels.tolist()) <= set(one.labels.covered)
        assert len(set(batch.indices.tolist())) == len(batch.indices)


def test_fewer_examples_are_a_part_of_more_and_always_the_same(case: Case) -> None:
    source, shift = case
    chosen = []
    for n in (3, 5, 5):
        batches = [batch_of(one) for one in shift.sets(source, "test", n)]
        assert {len(batch.labels) for batch in batches} == {n}
        chosen.append(batches)
    for few, more, again in zip(*chosen, strict=True):
        assert few.indices.tolist() == more.indices.tolist()[:3]
        assert torch.equal(few.images, more.images[:3])
        assert all(torch.equal(x, y) for x, y in zip(more, again, strict=True))


def test_it_can_be_written_down_and_told(case: Case) -> None:
    source, shift = case
    again = from_spec(json.loads(json.dumps(spec_of(shift))))
    assert spec_of(again) == spec_of(shift)
    assert again.name == shift.name
    sets, other = (s.sets(source, "test", 4) for s in (shift, again))
    assert [one.key for one in sets] == [one.key for one in other]
    assert json.loads(json.dumps(sets[0].settings)) == sets[0].settings
    assert all(one.settings == sets[0].settings for one in sets)
    assert set(shift.severities) <= set(range(1, 6))


def test_more_examples_than_there_are_are_refused(case: Case) -> None:
    source, shift = case
    with pytest.raises(robust_tuning.errors.DataError, match="choose n from 1 to"):
        shift.sets(source, "test", 1000)
