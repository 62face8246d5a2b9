import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from robust_tuning.data import (
    CIFAR10,
    CUB200,
    Caltech256,
    Digits,
    DomainNet,
    ImageFolder,
    StanfordDogs,
)
from robust_tuning.data.check_report import SKIPPABLE, Report
from robust_tuning.data.checking import check
from robust_tuning.data.class_lists import read_counts
from robust_tuning.data.file_benchmark import FileBenchmark
from robust_tuning.data.skipping import write_skip_list
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.types import ImageInput
from tests.data.damage import Found, damage, encoded, noise
from tests.data.small_benchmarks import lay_out
from tests.layouts import lay_out_image_folder, lay_out_stanford_dogs
from tests.material import Material

Make = Callable[..., FileBenchmark]
DOGS = ("n02085620-Chihuahua", "n02085782-Japanese_spaniel")
KINDS = (CUB200, StanfordDogs, Caltech256, DomainNet, ImageFolder)


def found(report: Report) -> Found:
    sets: Found = {}
    for finding in report.findings:
        sets.setdefault(finding.kind.name, set()).add(finding.files)
    return sets


def added(after: Found, before: Found) -> Found:
    new = {kind: files - before.get(kind, set()) for kind, files in after.items()}
    return {kind: files for kind, files in new.items() if files}


def maker(kind: type[FileBenchmark], root: Path) -> Make:
    """The benchmark, laid out, anew for every call."""
    if kind is ImageFolder:
        material = Material.synthetic(["ant", "bee", "cat"], train=20, test=4)
        lay_out_image_folder(material, root)
        settings: dict[str, Any] = {"root": str(root)}
    else:
        settings = lay_out(kind, root)
    if kind is DomainNet:  # the three domains hold equal images
        settings["domains"] = ["sketch"]
    return lambda **more: kind(**{**settings, **more})


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    return maker(request.param, tmp_path / "root")


@pytest.fixture
def birds(tmp_path: Path) -> Make:
    return maker(CUB200, tmp_path / "root")


def test_files_in_order(make: Make) -> None:
    data = make()
    report = check(data)
    assert not report.affects_training
    assert report.benchmark == type(data).__name__
    assert report.folder == data.home
    listings = data.complete_listings
    assert report.images == len(listings["train"]) + len(listings["test"])
    details = {finding.detail for finding in report.findings if finding.kind.name == "not_rgb"}
    assert details == {"grey", "RGBA"}, "what the synthetic material begins with"
    unlisted = 3 if isinstance(data, DomainNet) else 0
    assert {kind: len(files) for kind, files in found(report).items()} == {
        "not_rgb": 2,
        **({"unlisted": unlisted} if unlisted else {}),
    }
    for summary in report.lists:
        counts = np.bincount(listings[summary.name].labels, minlength=data.num_classes)
        assert (summary.images, summary.skipped) == (counts.sum(), 0)
        assert (summary.smallest, summary.largest) == (counts.min(), counts.max())
        assert len(summary.empty_classes) == (counts == 0).sum()
    expected = {one.name: one.expected for one in report.lists if one.expected is not None}
    assert expected == data.expected_sizes


@pytest.mark.parametrize("workers", [0, 2])
def test_everything_that_was_done_to_images_is_found_and_nothing_else(
    make: Make, workers: int
) -> None:
    data = make()
    before = found(check(data))
    listings = data.listings()
    # Where folders decide, what is not there is in no list.
    listed = not isinstance(data, ImageFolder | Caltech256)
    done, stored = damage(data.home, listings["train"], listings["test"], remove=listed)
    report = check(make(), workers)
    assert added(found(report), before) == done
    details = {one.files[0]: one.detail for one in report.findings if one.kind.name == "not_rgb"}
    assert {file: details[file] for file in stored} == stored
    assert report.affects_training


@pytest.mark.parametrize(("kind", "unusable"), [(CUB200, 8), (ImageFolder, 7)])
def test_a_list_of_what_is_unusable_makes_training_work(
    kind: type[FileBenchmark], unusable: int, tmp_path: Path
) -> None:
    make = maker(kind, tmp_path / "root")
    data = make()
    listings = data.listings()
    damage(data.home, listings["train"], listings["test"], remove=kind is CUB200)
    with pytest.raises(DataError):
        load_all(make())
    report = check(make())
    skipped = report.files(*SKIPPABLE)
    assert len(skipped) == unusable
    write_skip_list(tmp_path / "skip.txt", skipped, "damaged")
    data = make(skip=str(tmp_path / "skip.txt"))
    assert load_all(data) == 72 - unusable
    after = check(data)
    assert not after.affects_training
    assert after.images == 72 - unusable
    assert (after.lists[0].name, after.lists[0].skipped) == ("train", unusable)
    assert after.lists[0].images == report.lists[0].images
    assert added(found(after), found(report)) == {}


def load_all(data: FileBenchmark) -> int:
    data.match(ImageInput(size=8))
    data.num_workers = 0
    batches = (b for s in data.split_sizes for b in data.evaluation_loader(data.dataset(s)))
    return sum(len(batch.labels) for batch in batches)


def of_class(data: FileBenchmark, split: str, label: int) -> list[str]:
    listing = data.listings()[split]
    return [file for file, k in zip(listing.files, listing.labels, strict=True) if k == label]


def test_duplicates_of_skipped_images_do_not_count(birds: Make, tmp_path: Path) -> None:
    data = birds()
    one, two = of_class(data, "train", 2)[:2]
    shutil.copy(data.home / one, data.home / two)
    assert found(check(birds()))["duplicates"] == {tuple(sorted((one, two)))}
    write_skip_list(tmp_path / "skip.txt", [two], "")
    assert "duplicates" not in found(check(birds(skip=str(tmp_path / "skip.txt"))))


@pytest.mark.parametrize("make", KINDS[:-1], indirect=True, ids=lambda kind: kind.__name__)
def test_other_sizes_than_expected(make: Make) -> None:
    expected = make().expected_sizes
    name = next(iter(expected))
    for other in (expected[name] + 1, expected[name] - 1):
        report = check(make(expected={**expected, name: other}))
        (wrong,) = (one for one in report.findings if one.kind.name == "wrong_size")
        assert wrong.files == (name,)
        assert wrong.detail == f"{expected[name]} images, expected {other}"
    mistyped = {**expected, "sketch_trian": 3}
    if isinstance(make(), DomainNet):  # whose lists of other domains are known, but not in use
        with pytest.raises(ConfigurationError, match="sketch_trian"):
            make(expected=mistyped)
    else:
        assert found(check(make(expected=mistyped)))["wrong_size"] == {("sketch_trian",)}


def test_images_that_no_list_names(birds: Make) -> None:
    home = birds().home
    for name in ("extra.JPG", "more/extra.png", "notes.txt", "001.Black_footed_Albatross/x.tif"):
        (home / "images" / name).parent.mkdir(exist_ok=True)
        (home / "images" / name).write_bytes(b"never read")
    (home / "montage.jpg").touch()
    report = check(birds())
    names = ("extra.JPG", "more/extra.png", "001.Black_footed_Albatross/x.tif")
    assert found(report)["unlisted"] == {(f"images/{name}",) for name in names}
    assert not report.affects_training


def label_too_large(home: Path) -> None:
    lines = (home / "image_class_labels.txt").read_text().splitlines()
    lines[4] = "5 201"
    (home / "image_class_labels.txt").write_text("\n".join(lines))


def cut_off(home: Path) -> None:
    path = home / "images.txt"
    path.write_bytes(path.read_bytes()[:-200])


def gone(home: Path) -> None:
    (home / "train_test_split.txt").unlink()


@pytest.mark.parametrize(
    ("harm", "told"),
    [(label_too_large, "such as 201"), (cut_off, "different images"), (gone, "cannot be read")],
)
def test_a_damaged_list(birds: Make, harm: Callable[[Path], None], told: str) -> None:
    harm(birds().home)
    report = check(birds())
    (finding,) = report.findings
    assert finding.kind.name == "damaged_list"
    assert told in finding.detail
    assert (report.affects_training, report.images, report.lists) == (True, 0, ())


def test_lists_of_dogs(tmp_path: Path) -> None:
    make = maker(StanfordDogs, tmp_path)
    path = tmp_path / "train_list.mat"
    lists = loadmat(path)
    lists["labels"][3] = 121
    savemat(path, {key: value for key, value in lists.items() if key[0] != "_"})
    (finding,) = check(make()).findings
    assert (finding.kind.name, "such as 121" in finding.detail) == ("damaged_list", True)
    path.unlink()
    (finding,) = check(make()).findings
    assert (finding.kind.name, finding.files) == ("absent", ("train_list.mat",))
    assert "lists.tar" in finding.detail


def test_a_list_that_names_what_was_never_there(tmp_path: Path) -> None:
    make = maker(DomainNet, tmp_path)
    with (tmp_path / "sketch_test.txt").open("a") as lines:
        lines.write("sketch/zigzag/sketch_345_009999.jpg 344\n")
    report = check(make(expected={"sketch_train": 60, "sketch_test": 13}))
    assert found(report)["missing"] == {("sketch/zigzag/sketch_345_009999.jpg",)}
    (summary,) = (one for one in report.lists if one.name == "sketch_test")
    assert (summary.images, summary.expected, report.images) == (13, 13, 73)


def test_domains_are_compared_with_each_other(tmp_path: Path) -> None:
    make = maker(DomainNet, tmp_path)
    data = make(domains=["real", "clipart"])
    report = check(data)
    assert [one.name for one in report.lists] == [
        *("real_train", "real_test", "clipart_train", "clipart_test")
    ]
    assert report.images == 144
    equal = found(report)["duplicates"]
    assert len(equal) == 72
    assert all(one.replace("clipart", "real") == two for one, two in equal)
    assert not report.affects_training


def test_a_domain_that_is_absent_does_not_hide_the_others(tmp_path: Path) -> None:
    make = maker(DomainNet, tmp_path)
    data = make(domains=["quickdraw", "sketch"])
    victim = of_class(make(), "train", 40)[0]
    (tmp_path / victim).write_bytes(b"")
    report = check(data)
    assert found(report)["absent"] == {
        *(("quickdraw",), ("quickdraw_train.txt",), ("quickdraw_test.txt",))
    }
    assert found(report)["empty"] == {(victim,)}
    assert report.images == 72


@pytest.mark.parametrize("place", ["", "txt"])
def test_lists_of_domainnet_have_checksums_unless_they_are_ones_own(
    tmp_path: Path, place: str
) -> None:
    make = maker(DomainNet, tmp_path)
    name = (Path(place) / "sketch_train.txt").as_posix()
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / "sketch_train.txt").rename(tmp_path / name)
    assert "wrong_checksum" not in found(check(make()))
    assert found(check(make(expected=None)))["wrong_checksum"] == {(name,), ("sketch_test.txt",)}


COUNTS = {"001.ak47": 6, "002.american-flag": 5, "003.backpack": 4}


@pytest.fixture
def few_things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Caltech-256 as if its authors had published few images."""
    monkeypatch.setattr("robust_tuning.data.caltech256.read_counts", lambda _: COUNTS)
    for name, count in COUNTS.items():
        for number in range(1, count + 1):
            path = tmp_path / "256_ObjectCategories" / name / f"{name[:3]}_{number:04d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(noise(int(name[:3]) * 100 + number)))
    return tmp_path


def test_folders_that_decide_must_hold_exactly_the_official_images(few_things: Path) -> None:
    data = Caltech256(str(few_things))
    assert found(check(data)) == {}
    home = data.home
    (home / "002.american-flag" / "002_0003.jpg").unlink()
    (home / "003.backpack" / "003_0001.jpg").rename(home / "003.backpack" / "003_0005.jpg")
    (home / "001.ak47" / "001_0007.jpg").write_bytes(encoded(noise(0)))
    (home / "001.ak47" / "copy of 001_0001.jpg").write_bytes(encoded(noise(1)))
    expected = {
        "missing_official": {("002.american-flag/002_0003.jpg",), ("003.backpack/003_0001.jpg",)},
        "surplus": {("001.ak47/001_0007.jpg",), ("003.backpack/003_0005.jpg",)},
        "wrong_class_count": {("001.ak47",), ("002.american-flag",)},
        "unlisted": {("001.ak47/copy of 001_0001.jpg",)},
    }
    report = check(Caltech256(str(few_things)))
    assert found(report) == expected, "fifteen images, as there should be"
    counts = {o.files[0]: o.detail for o in report.findings if o.kind.name == "wrong_class_count"}
    assert counts == {
        "001.ak47": "7 images, expected 6",
        "002.american-flag": "4 images, expected 5",
    }
    assert not report.files(*SKIPPABLE), "a list to skip would not help"
    with pytest.raises(DataError, match="lacks 2 images"):
        _ = Caltech256(str(few_things)).split_listings
    for path in (home / "003.backpack").iterdir():
        path.unlink()
    after = found(check(Caltech256(str(few_things))))
    assert ("003.backpack",) in after["wrong_class_count"]
    assert after["wrong_size"] == {("all",)}


def test_the_official_counts_are_the_sizes_of_the_benchmark(tmp_path: Path) -> None:
    official = Caltech256(str(tmp_path)).official_files
    assert official is not None
    assert len(official) == sum(read_counts("caltech256").values()) - 827 == 29_780
    assert Caltech256(str(tmp_path), expected={"all": 3}).official_files is None


def test_a_folder_of_a_class_without_images(tmp_path: Path) -> None:
    make = maker(ImageFolder, tmp_path)
    (tmp_path / "train" / "dog").mkdir()
    (finding,) = check(make()).findings
    assert (finding.kind.name, "no images of dog" in finding.detail) == ("damaged_list", True)


@pytest.mark.parametrize("kind", [*KINDS, CIFAR10], ids=lambda kind: kind.__name__)
def test_an_empty_root(kind: type[FileBenchmark], tmp_path: Path) -> None:
    report = check(kind(str(tmp_path)))
    assert report.affects_training
    assert set(found(report)) == {"absent"}
    assert (report.folder, report.images, report.lists) == (tmp_path, 0, ())
    assert not list(tmp_path.iterdir())


def test_archives_are_verified_and_left_packed(tmp_path: Path) -> None:
    lay_out_stanford_dogs(Material.synthetic(DOGS, 2, 1), tmp_path, packed=True)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    report = check(StanfordDogs(str(tmp_path)))
    assert found(report) == {
        "wrong_checksum": {("images.tar",), ("lists.tar",)},
        "absent": {("Images",), ("file_list.mat", "train_list.mat", "test_list.mat")},
    }
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("inside", [False, True])
def test_a_spent_archive_that_is_another_is_information(birds: Make, inside: bool) -> None:
    home = birds().home
    root = home if inside else home.parent
    (root / "CUB_200_2011.tgz").write_bytes(b"<html>")
    report = check(birds(root=str(root)))
    assert found(report)["wrong_archive"] == {("CUB_200_2011.tgz",)}
    assert not report.affects_training


def test_only_files_can_be_checked() -> None:
    with pytest.raises(ConfigurationError, match="Digits is not made of files"):
        check(Digits())


def test_a_skip_list_that_is_not_there(birds: Make, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt"):
        check(birds(skip=str(tmp_path / "none.txt")))
