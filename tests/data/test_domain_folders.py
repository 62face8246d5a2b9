import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robust_tuning.data import DomainFolders
from robust_tuning.data.checking import check
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.types import Split
from tests.layouts import lay_out_domain_folders
from tests.material import Material

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
CLASSES = ("ant", "bee", "cat")
DOMAINS = ("comic", "photo", "sketch")
Both = pytest.mark.parametrize("cut", [True, False], ids=["cut", "whole"])


def lay_out(root: Path, *, cut: bool = True) -> Path:
    """Three domains of three classes; per domain and class 20 training and 5 test images."""
    made = {
        name: Material.synthetic(CLASSES, train=20, test=5, seed=seed, side=8)
        for seed, name in enumerate(DOMAINS)
    }
    lay_out_domain_folders(made, root / "PICS", cut=cut)
    return root / "PICS"


def module(root: Path, *domains: str, **settings: Any) -> DomainFolders:
    chosen = list(domains or ("photo",))
    return DomainFolders(str(root), domains=chosen, image_size=16, num_workers=0, **settings)


def fill(folder: Path, n: int = 4) -> None:
    folder.mkdir(parents=True)
    for number in range(n):
        (folder / f"{number}.jpg").touch()


@Both
def test_one_domain_is_trained_and_the_others_are_measured(tmp_path: Path, cut: bool) -> None:
    data = module(lay_out(tmp_path, cut=cut))
    assert data.class_names == CLASSES
    assert data.benchmark == "PICS-photo"
    assert data.ood_domains == ["comic", "sketch"]
    assert data.split_sizes == {"train": 54, "validation": 6, "test": 15}
    for split in SPLITS:
        assert {file.partition("/")[0] for file in data.identities(split)} == {"photo"}
        for domain in ("comic", "sketch"):
            listing = data.domain_listing(domain, split)
            assert {file.partition("/")[0] for file in listing.files} == {domain}
            assert len(listing) == data.split_sizes[split]


@Both
def test_labels_are_those_of_the_class_folders(tmp_path: Path, cut: bool) -> None:
    data = module(lay_out(tmp_path, cut=cut))
    for listing in (*data.split_listings.values(), data.domain_listing("sketch")):
        named = [file.split("/")[-2] for file in listing.files]
        assert named == [CLASSES[label] for label in listing.labels]


@Both
def test_a_domain_has_the_same_splits_and_indices_whoever_is_trained(
    tmp_path: Path, cut: bool
) -> None:
    root = lay_out(tmp_path, cut=cut)
    other, alone, together = module(root), module(root, "sketch"), module(root, "sketch", "photo")
    for split in SPLITS:
        expected = alone.split_listings[split]
        for data in (other, together, module(root, "comic", ood_domains=["sketch"])):
            listing = data.domain_listing("sketch", split)
            assert listing.files == expected.files
            assert listing.labels.tolist() == expected.labels.tolist()
            assert listing.indices.tolist() == expected.indices.tolist()


@Both
def test_what_else_lies_in_the_root_changes_nothing(tmp_path: Path, cut: bool) -> None:
    root = lay_out(tmp_path, cut=cut)
    before = module(root).domain_listing("sketch")
    lay_out_domain_folders({"aerial": Material.synthetic(CLASSES, 4, 4)}, root, cut=cut)
    fill(root / ".git" / "ant")
    (root / "README.txt").touch()
    (root / "stray.jpg").touch()
    data = module(root)
    assert data.ood_domains == ["aerial", "comic", "sketch"]
    after = data.domain_listing("sketch")
    assert after.files == before.files
    assert after.indices.tolist() == before.indices.tolist()


@Both
def test_several_domains_train_together_in_any_order(tmp_path: Path, cut: bool) -> None:
    root = lay_out(tmp_path, cut=cut)
    one, other = module(root, "sketch", "photo"), module(root, "photo", "sketch")
    assert one.benchmark == other.benchmark == "PICS-photo+sketch"
    assert one.ood_domains == ["comic"]
    assert one.split_sizes == {"train": 108, "validation": 12, "test": 30}
    for split in SPLITS:
        assert one.identities(split) == other.identities(split)
        parts = [set(one.domain_listing(domain, split).files) for domain in one.domains]
        assert all(parts)
        assert set(one.identities(split)) == parts[0] | parts[1]
    indices = [i for listing in one.split_listings.values() for i in listing.indices.tolist()]
    assert len(indices) == len(set(indices)) == 150


def test_fractions_are_those_of_what_is_not_cut(tmp_path: Path) -> None:
    data = module(lay_out(tmp_path, cut=False), test_fraction=0.4, validation_fraction=0.2)
    assert data.split_sizes == {"train": 36, "validation": 9, "test": 30}
    assert np.bincount(data.labels("test")).tolist() == [10, 10, 10]


def test_examples_of_a_domain_are_always_the_same(tmp_path: Path) -> None:
    data = module(lay_out(tmp_path))
    few = data.domain_examples("sketch", "test", 5)
    assert [int(few[i].indices) for i in range(3)] == [
        int(data.domain_examples("sketch", "test", 3)[i].indices) for i in range(3)
    ]
    assert few[0].images.shape == (3, 16, 16)
    with pytest.raises(DataError, match=r"16 .* but the test split of sketch of PICS-photo has 15"):
        data.domain_examples("sketch", "test", 16)


def test_classes_are_those_of_all_domains_that_are_trained(tmp_path: Path) -> None:
    for folder in ("photo/ant", "photo/cat", "sketch/bee", "sketch/cat", "comic/bee"):
        fill(tmp_path / folder, 10)
    data = module(tmp_path, "photo", "sketch")
    assert data.class_names == CLASSES
    assert set(data.domain_labels("photo", "train")) == {0, 2}
    assert set(data.domain_labels("comic", "test")) == {1}


def test_a_class_that_is_not_trained_is_found_when_its_domain_is_used(tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    fill(root / "sketch" / "test" / "wasp")
    data = module(root)
    data.prepare_data()
    assert len(data.domain_labels("comic", "test")) == 15
    told = r"/sketch/test holds classes that no domain trained on has: wasp; .*data\.ood_domains"
    with pytest.raises(DataError, match=told):
        data.domain_labels("sketch", "test")
    with pytest.raises(DataError, match="sketch/test holds classes that no domain trained on has"):
        module(root, "photo", "sketch").prepare_data()


def test_a_class_without_images_to_train_on_is_named(tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    for file in (root / "photo" / "train" / "bee").iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"photo in .*/PICS: no images of bee to train on; add"):
        module(root).prepare_data()
    assert module(root, "photo", "sketch").num_classes == 3


def test_layouts_do_not_mix(tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    lay_out_domain_folders({"aerial": Material.synthetic(CLASSES, 4, 4)}, root, cut=False)
    told = "PICS: photo has folders for its splits and aerial has none; expected"
    with pytest.raises(DataError, match=told):
        module(root).domain_labels("aerial", "test")
    for domains in (("photo", "aerial"), ("aerial", "photo")):
        with pytest.raises(DataError, match=told):
            module(root, *domains).prepare_data()


def test_an_empty_domain_is_named_when_it_is_used(tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    (root / "empty").mkdir()
    data = module(root)
    data.prepare_data()
    with pytest.raises(DataError, match="PICS/empty holds no folders; expected DOMAIN/train"):
        data.domain_examples("empty", "test")
    with pytest.raises(DataError, match="PICS/empty holds no folders"):
        module(root, "empty").prepare_data()


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_missing_split_is_named(split: Split, tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    (root / "photo" / split).rename(tmp_path / "away")
    (root / "sketch" / split).rename(tmp_path / "away too")
    with pytest.raises(DataError, match=r"PICS/photo|at least two"):
        module(root).prepare_data()
    with pytest.raises(DataError, match=f"PICS/sketch holds no images for {split}; expected"):
        module(root, "comic").domain_labels("sketch", split)
    there: Split = "test" if split == "train" else "train"
    assert set(module(root, "comic").domain_labels("sketch", there)) == {0, 1, 2}


@pytest.mark.parametrize(
    ("domains", "settings"),
    [
        ([], {}),
        (["photo", "photo"], {}),
        (["photo"], {"ood_domains": ["photo"]}),
        (["photo"], {"ood_domains": ["sketch", "sketch"]}),
    ],
)
def test_domains_that_make_no_sense_are_refused(
    domains: list[str], settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.domains is .* each once"):
        DomainFolders("nowhere", domains=domains, **settings)


@pytest.mark.parametrize("settings", [{"domains": ["foto"]}, {"ood_domains": ["foto"]}])
def test_an_unknown_domain_is_answered_with_the_known_ones(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    data = DomainFolders(str(lay_out(tmp_path)), **{"domains": ["photo"], **settings})
    with pytest.raises(ConfigurationError, match=r"no folder 'foto' .* comic, photo, sketch"):
        data.prepare_data()


def test_a_domain_left_out_is_not_measured(tmp_path: Path) -> None:
    data = module(lay_out(tmp_path), ood_domains=["sketch"])
    with pytest.raises(ConfigurationError, match=r"'comic' is not among .*: photo, sketch"):
        data.domain_examples("comic", "test")
    assert module(tmp_path / "PICS", ood_domains=[]).ood_domains == []


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere', which is no folder; expected folders DOMAIN/"):
        module(tmp_path / "nowhere").prepare_data()


def test_a_fraction_out_of_range_is_refused() -> None:
    for fraction in (0.0, 1.0):
        with pytest.raises(ConfigurationError, match=rf"test_fraction is {fraction}, expected"):
            module(Path("anywhere"), test_fraction=fraction)


def test_skipped_images_are_left_out_of_every_domain(tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    victims = [module(root).domain_listing(domain).files[0] for domain in ("photo", "sketch")]
    (tmp_path / "skip.txt").write_text("\n".join(victims))
    data = module(root, skip=str(tmp_path / "skip.txt"))
    assert len(data.domain_labels("sketch", "test")) == len(data.labels("test")) == 14


@Both
def test_files_are_checked(tmp_path: Path, cut: bool) -> None:
    root = lay_out(tmp_path, cut=cut)
    bad = module(root, "sketch").split_listings["train"].files[7]
    (root / bad).write_bytes(b"")
    (root / "photo" / "stray.jpg").touch()
    report = check(module(root, "photo", "sketch"))
    assert report.images == 150
    found = {(one.kind.name, one.files) for one in report.findings if one.kind.name != "not_rgb"}
    assert found == {("empty", (bad,)), ("unlisted", ("photo/stray.jpg",))}
    assert {one.name: one.images for one in report.lists} == {
        **{f"{d}_train": 54 for d in ("photo", "sketch")},
        **{f"{d}_validation": 6 for d in ("photo", "sketch")},
        **{f"{d}_test": 15 for d in ("photo", "sketch")},
        **{"train": 108, "validation": 12, "test": 30},
    }


@pytest.fixture(scope="module")
def pacs(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("real") / "pacs60"
    with zipfile.ZipFile(real_data / "pacs60.zip") as archive:
        archive.extractall(root)
    return root


@pytest.mark.real_data
def test_real_domains(pacs: Path) -> None:
    data = module(pacs)
    assert data.class_names == (
        *("dog", "elephant", "giraffe", "guitar", "horse", "house", "person"),
    )
    assert data.benchmark == "pacs60-photo"
    assert data.ood_domains == ["art_painting", "cartoon", "sketch"]
    assert data.split_sizes == {"train": 252, "validation": 28, "test": 140}
    # Sketches are black on white, photographs are not.
    bright = {
        domain: float(np.mean([examples[i].images.float().mean() for i in range(20)]))
        for domain in ("photo", "sketch")
        if (examples := data.domain_examples(domain, "test", 20))
    }
    assert bright["sketch"] > 200 > bright["photo"]
    for domain in data.ood_domains:
        assert np.bincount(data.domain_labels(domain, "test")).tolist() == [20] * 7


@pytest.mark.real_data
def test_real_domains_as_they_are_published(pacs: Path, tmp_path: Path) -> None:
    for path in pacs.rglob("*.*"):
        domain, _, label, name = path.relative_to(pacs).parts
        folder = tmp_path / "kfold" / domain / label
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).hardlink_to(path)
    data = module(tmp_path / "kfold", "photo", "cartoon")
    assert data.split_sizes == {"train": 604, "validation": 68, "test": 168}
    assert np.bincount(data.labels("test")).tolist() == [24] * 7
    for split in SPLITS:
        for file, label in zip(data.identities(split), data.labels(split), strict=True):
            assert file.split("/")[1] == data.class_names[label]
