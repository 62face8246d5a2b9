import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from robust_tuning.data.examples import TensorExamples, collate
from robust_tuning.errors import DataError
from robust_tuning.shifts import LabelMap, ShiftedSet
from robust_tuning.shifts.cache import Cache, cached
from robust_tuning.shifts.corruptions import Corruption
from robust_tuning.shifts.evaluation import shifted_batches
from robust_tuning.types import Batch

CPU = torch.device("cpu")


def load(data: Dataset[Batch]) -> DataLoader[Batch]:
    return DataLoader(data, 4, collate_fn=collate)


def views(seed: int = 0, n: int = 10) -> list[ShiftedSet]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (n, 3, 16, 20), generator=generator, dtype=torch.uint8)
    examples = TensorExamples(images, torch.arange(n) % 2, torch.arange(n) + 50)
    labels = LabelMap.identity(("a", "b"))
    return [
        ShiftedSet("fog-1", examples, labels, Corruption("fog", 1, "cifar")),
        ShiftedSet("clean", examples, labels),
        ShiftedSet("snow-2", examples, labels, Corruption("snow", 2, "cifar")),
    ]


def keep(sets: list[ShiftedSet], folder: Path, where: Cache = "disk") -> list[ShiftedSet]:
    return cached(sets, where, str(folder), load=load, device=CPU)


def files(folder: Path) -> list[Path]:
    return sorted((folder / "shifts").glob("*.npy"))


def test_kept_images_are_those_that_are_computed(tmp_path: Path) -> None:
    sets = views()
    kept = keep(sets, tmp_path)
    assert [one.key for one in kept] == ["fog-1", "clean", "snow-2"]
    assert kept[1] is sets[1]
    for one, stored in zip(sets, kept, strict=True):
        assert stored.transform is None
        before = list(shifted_batches(one, load(one.examples), CPU))
        for computed, read in zip(before, load(stored.examples), strict=True):
            assert all(torch.equal(x, y) for x, y in zip(computed, read, strict=True))
    assert [np.load(path).shape for path in files(tmp_path)] == [(10, 3, 16, 20)] * 2


def test_they_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(views(), tmp_path)
    times = [path.stat().st_mtime_ns for path in files(tmp_path)]

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Corruption, "__call__", never)
    keep(views(), tmp_path)
    assert [path.stat().st_mtime_ns for path in files(tmp_path)] == times


def test_other_images_and_other_settings_have_other_files(tmp_path: Path) -> None:
    keep(views(), tmp_path)
    keep(views(seed=1), tmp_path)
    assert len(files(tmp_path)) == 4
    examples = views()[0].examples
    other = Corruption("fog", 1, "imagenet")
    keep([ShiftedSet("fog-1", examples, views()[0].labels, other)], tmp_path)
    assert len(files(tmp_path)) == 5
    # The same pixels under other identities have other random numbers.
    renamed = views()
    renamed[0].examples.indices += 1  # type: ignore[attr-defined]  # of tensors
    keep(renamed, tmp_path)
    assert len(files(tmp_path)) == 7


def test_none_keeps_nothing(tmp_path: Path) -> None:
    sets = views()
    assert keep(sets, tmp_path, "none") == sets
    assert not list(tmp_path.iterdir())


def test_an_interruption_leaves_no_half_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original: Callable[..., torch.Tensor] = Corruption.__call__

    def interrupted(self: Corruption, images: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        if self.name == "snow" and int(keys[0]) >= 54:
            raise KeyboardInterrupt
        return original(self, images, keys)

    with monkeypatch.context() as patch:
        patch.setattr(Corruption, "__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            keep(views(), tmp_path)
    assert not [p for p in (tmp_path / "shifts").iterdir() if p.suffix != ".lock"]
    assert len(keep(views(), tmp_path)) == 3


def test_too_little_room_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from robust_tuning import storage

    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: os.terminal_size((0, 0)))
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(DataError, match="keeping 2 sets of 10 shifted images takes at least"):
        keep(views(), tmp_path)
    assert not files(tmp_path)


def test_a_place_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="choose a folder"):
        keep(views(), tmp_path / "file")


def test_images_of_two_sizes_cannot_be_kept(tmp_path: Path) -> None:
    class Odd(TensorExamples):
        def __getitems__(self, positions: list[int]) -> Batch:
            batch = super().__getitems__(positions)
            return batch._replace(images=batch.images[..., : 16 + min(positions)])

    one = views()[0].examples
    assert isinstance(one, TensorExamples)
    odd = Odd(one.images, one.labels, one.indices)
    shown = ShiftedSet("fog-1", odd, views()[0].labels, Corruption("fog", 1, "cifar"))
    with pytest.raises(DataError, match=r"2 sizes.*ood\.cache to none"):
        keep([shown], tmp_path)


def test_memory_is_given_back_at_the_end_of_the_process(tmp_path: Path) -> None:
    program = (
        "from tests.shifts.test_cache import keep, views; from pathlib import Path;"
        f"kept = keep(views(seed={os.getpid()}), Path({str(tmp_path)!r}), 'ram');"
        "print(kept[0].examples.pixels.filename)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    path = Path(done.stdout.strip())
    assert path.suffix == ".npy"
    assert not path.exists()
