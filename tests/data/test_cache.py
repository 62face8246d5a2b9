import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from robust_tuning.data import ImageFolder
from robust_tuning.data.cache import CachedExamples, cached
from robust_tuning.data.image_files import EncodedExamples, ImagePaths
from robust_tuning.data.views import CentreCrop, Proportional, View
from robust_tuning.errors import DataError
from robust_tuning.types import Batch, ImageInput
from tests.layouts import lay_out_image_folder
from tests.material import Material

VIEW = CentreCrop(ImageInput(16))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    material = Material.synthetic(["ant", "bee"], train=6, test=2, side=24)
    lay_out_image_folder(material, tmp_path / "images")
    return tmp_path / "images"


def encoded(folder: Path, view: View = VIEW) -> EncodedExamples:
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    numbers = np.arange(len(files), dtype=np.int64)
    return EncodedExamples(ImagePaths(folder, files), numbers % 2, numbers + 50, view)


def keep(folder: Path, view: View = VIEW, workers: int = 0) -> CachedExamples:
    place = str(folder.parent / "kept")
    return cached(encoded(folder, view), "disk", place, name="x", num_workers=workers)


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("view", [VIEW, Proportional(ImageInput(14)), Proportional(ImageInput(40))])
@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_kept_is_what_would_be_decoded(folder: Path, view: View, workers: int) -> None:
    decoded, kept = encoded(folder, view), keep(folder, view, workers)
    assert len(kept) == len(decoded) == 16
    assert all(same(kept[i], decoded[i]) for i in range(16))


def test_batches_are_fetched_whole(folder: Path) -> None:
    kept = keep(folder)
    batch = kept.__getitems__([5, 2, 5])
    assert isinstance(batch, Batch)
    assert batch.images.shape == (3, 3, 16, 16)
    assert batch.indices.tolist() == [55, 52, 55]
    assert torch.equal(batch.images[1], kept[2].images)


def test_images_of_several_sizes_are_fetched_one_by_one(folder: Path, tmp_path: Path) -> None:
    lay_out_image_folder(Material.synthetic(["ant"], 2, 1, side=9), tmp_path / "images" / "small")
    found = keep(folder, Proportional(ImageInput(14))).__getitems__(list(range(19)))
    assert isinstance(found, list)
    assert {tuple(b.images.shape) for b in found} == {(3, 9, 9), (3, 16, 16)}


def test_a_second_time_nothing_is_decoded(folder: Path) -> None:
    first = keep(folder)
    stamp = first.path.stat()
    assert keep(folder).path.stat().st_mtime_ns == stamp.st_mtime_ns
    assert keep(folder).path.stat().st_ino == stamp.st_ino


def test_a_changed_image_has_the_file_built_anew_in_its_place(folder: Path) -> None:
    before = keep(folder)
    changed = folder / "test" / "ant" / sorted(os.listdir(folder / "test" / "ant"))[0]  # noqa: PTH208
    changed.write_bytes(Material.synthetic(["x"], 3, 0, seed=9, side=24).pictures[2].content)
    after = keep(folder)
    assert after.path == before.path
    decoded = encoded(folder)
    assert all(same(after[i], decoded[i]) for i in range(16))
    assert not all(torch.equal(before[i].images, after[i].images) for i in range(16))


def test_another_view_or_list_has_another_file(folder: Path) -> None:
    paths = {keep(folder).path, keep(folder, CentreCrop(ImageInput(12))).path}
    (folder / "test" / "ant" / "new.jpg").write_bytes(
        Material.synthetic(["x"], 1, 0).pictures[0].content
    )
    assert len(paths | {keep(folder).path}) == 3


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_a_damaged_cache_is_built_anew(folder: Path, damage: str) -> None:
    path = keep(folder).path
    content = path.read_bytes()
    path.write_bytes({"cut": content[:-100], "garbage": content + b"x" * 9, "empty": b""}[damage])
    decoded, kept = encoded(folder), keep(folder)
    assert all(same(kept[i], decoded[i]) for i in range(16))


def test_a_build_that_fails_leaves_nothing_behind(folder: Path) -> None:
    (folder / "train" / "bee" / "text.jpg").write_text("no image")
    with pytest.raises(DataError, match=r"text\.jpg cannot be decoded"):
        keep(folder)
    left = [p.suffix for p in (folder.parent / "kept").iterdir()]
    assert left == [".lock"]


def test_a_place_that_is_no_folder_is_named(folder: Path) -> None:
    (folder.parent / "kept").write_text("a file")
    with pytest.raises(
        DataError, match=r"keeping 16 resized images \(disk cache\) failed in .*kept"
    ):
        keep(folder)


def test_a_full_disk_is_named(folder: Path) -> None:
    program = f"""
        import resource, signal
        from tests.data.test_cache import Path, keep
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
        try:
            keep(Path({str(folder)!r}))
        except Exception as error:
            print(type(error).__name__, error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "DataError keeping 16 resized images (disk cache) failed in" in done.stdout
    assert "File too large" in done.stdout
    assert [p.suffix for p in (folder.parent / "kept").iterdir()] == [".lock"]


def test_a_copy_for_another_process_maps_the_file_itself(folder: Path) -> None:
    kept = keep(folder)
    content = pickle.dumps(kept)
    assert len(content) < 3_000
    assert same(pickle.loads(content)[3], kept[3])


def test_what_is_mapped_stays_readable_when_the_file_is_gone(folder: Path) -> None:
    kept = keep(folder)
    expected = kept[3]
    kept.path.unlink()
    assert same(kept[3], expected)


def build(folder: Path, start: "multiprocessing.synchronize.Barrier", seen: "object") -> None:
    start.wait()
    kept = keep(folder)
    seen.put((kept.path.stat().st_ino, int(kept[7].images.sum())))  # type: ignore[attr-defined]  # a queue


def test_of_two_processes_one_builds_and_both_read(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, seen = context.Barrier(2), context.Queue()
    children = [context.Process(target=build, args=(folder, start, seen)) for _ in range(2)]
    for child in children:
        child.start()
    found = [seen.get(timeout=120) for _ in children]
    for child in children:
        child.join()
    assert len(set(found)) == 1
    assert found[0][1] == int(encoded(folder)[7].images.sum())


def memory_files(name: str) -> list[Path]:
    return list(Path("/dev/shm").glob(f"robust_tuning-*/{name}-*.images"))


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a memory file system")
@pytest.mark.parametrize("end", ["", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
def test_memory_is_given_back_at_the_end_and_reused_after_a_kill(folder: Path, end: str) -> None:
    name = f"ram-{os.getpid()}-{len(end)}"
    program = f"""
        from tests.data.test_cache import Path, cached, encoded, memory_files
        kept = cached(encoded(Path({str(folder)!r})), "ram", None, name={name!r})
        print(len(memory_files({name!r})), int(kept[7].images.sum()), flush=True)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program) + end],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["1", str(int(encoded(folder)[7].images.sum()))], done.stderr
    assert done.returncode == (-signal.SIGKILL if end else 0)
    left = memory_files(name)
    try:
        assert len(left) == (1 if end else 0)
        if left:
            before = left[0].stat().st_ino
            cached(encoded(folder), "ram", None, name=name)
            assert left[0].stat().st_ino == before
    finally:
        for path in left:
            path.unlink()


@pytest.mark.parametrize("cache", ["ram", "disk"])
@pytest.mark.parametrize("augmentation", ["none", "crop_flip"])
def test_a_data_module_gives_the_same_batches_with_and_without_a_cache(
    folder: Path, cache: str, augmentation: str
) -> None:
    def epoch(cache: str) -> list[Batch]:
        data = ImageFolder(
            str(folder), image_size=16, batch_size=5, num_workers=0, train_limit=9,
            cache=cache, cache_dir=str(folder.parent / "kept"), augmentation=augmentation,  # type: ignore[arg-type]  # of those known
        )  # fmt: skip
        return [*data.train_dataloader(), *data.test_dataloader()]

    for one, other in zip(epoch("none"), epoch(cache), strict=True):
        assert same(one, other)
