import zipfile
from pathlib import Path

import numpy as np
import pytest

from robust_tuning.data import BenchmarkDataModule, Digits, DomainFolders, DomainNet
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.plugins import from_spec, spec_of
from robust_tuning.shifts import Domains, LabelMap, ShiftedSet
from robust_tuning.types import Split
from tests.data.small_benchmarks import lay_out
from tests.layouts import lay_out_domain_folders
from tests.material import Material

CLASSES = ("ant", "bee", "cat")
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Photographs of three classes, and comics and sketches of which some lack."""
    made = {
        "comic": Material.synthetic(CLASSES[:2], train=20, test=4, seed=1),
        "photo": Material.synthetic(CLASSES, train=20, test=4, seed=2),
        "sketch": Material.synthetic(CLASSES, train=20, test=4, seed=3),
    }
    lay_out_domain_folders(made, tmp_path / "pics")
    for file in (tmp_path / "pics" / "sketch" / "test" / "bee").iterdir():
        file.unlink()
    return tmp_path / "pics"


def folders(root: Path, *domains: str) -> DomainFolders:
    return DomainFolders(str(root), domains=list(domains), image_size=8, num_workers=0)


def indices(shifted: ShiftedSet) -> list[int]:
    examples = shifted.examples
    return [int(examples[i].indices) for i in range(len(examples))]  # type: ignore[arg-type]  # sized


def test_every_other_domain_is_a_set(root: Path) -> None:
    source = folders(root, "photo")
    shift = Domains()
    assert shift.name == "domain"
    assert shift.severities == ()
    sets = shift.sets(source, "test", None)
    assert [one.key for one in sets] == ["domain-comic", "domain-sketch"]
    for one, domain in zip(sets, ("comic", "sketch"), strict=True):
        assert one.labels == shift.label_map(source) == LabelMap.identity(CLASSES)
        assert one.transform is None
        assert indices(one) == source.domain_listing(domain, "test").indices.tolist()
        assert {int(one.examples[i].labels) for i in range(8)} == {
            "comic": {0, 1},
            "sketch": {0, 2},
        }[domain]


def test_classes_without_images_are_said(root: Path) -> None:
    said = {one.key: one.findings for one in Domains().sets(folders(root, "photo"), "test", 2)}
    assert said == {
        "domain-comic": ["1 classes have no images ('cat')"],
        "domain-sketch": ["1 classes have no images ('bee')"],
    }
    complete = Domains(["sketch"]).sets(folders(root, "photo"), "validation", None)
    assert [list(one.findings) for one in complete] == [[]]


@pytest.mark.parametrize("split", SPLITS)
def test_the_split_and_the_number_are_passed_on(root: Path, split: Split) -> None:
    source = folders(root, "photo")
    for one in Domains().sets(source, split, 3):
        domain = one.key.removeprefix("domain-")
        assert len(indices(one)) == 3
        assert set(indices(one)) <= set(source.domain_listing(domain, split).indices.tolist())


def test_too_few_examples_are_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"9 .* test split of comic of pics-photo has 8"):
        Domains().sets(folders(root, "photo"), "test", 9)


def test_chosen_domains_come_in_their_order(root: Path) -> None:
    sets = Domains(["sketch", "comic"]).sets(folders(root, "photo"), "test", 4)
    assert [one.key for one in sets] == ["domain-sketch", "domain-comic"]


def test_domainnet_has_five_others(tmp_path: Path) -> None:
    settings = {"num_workers": 0, "image_size": 8, **lay_out(DomainNet, tmp_path)}
    source = DomainNet(**settings, ood_domains=["sketch", "clipart"])
    sets = Domains().sets(source, "test", 5)
    assert [one.key for one in sets] == ["domain-sketch", "domain-clipart"]
    for one in sets:
        domain = one.key.removeprefix("domain-")
        assert set(indices(one)) < set(source.domain_listing(domain).indices.tolist())
        assert len(one.labels.classes) == 345
        assert one.findings == [
            "342 classes have no images ('airplane', 'alarm_clock', 'ambulance', 'angel', "
            "'animal_migration' and 337 more)"
        ]
    assert len(DomainNet("nowhere").ood_domains) == 5


@pytest.mark.parametrize("shift", [Domains(), Domains(["sketch"])])
def test_a_benchmark_of_one_domain_is_refused(shift: Domains) -> None:
    with pytest.raises(ConfigurationError, match=r"Digits has no domains besides .* leave the sh"):
        shift.sets(Digits(), "test", None)


def test_no_domain_is_left_where_all_are_trained(root: Path) -> None:
    source: BenchmarkDataModule = folders(root, "photo", "comic", "sketch")
    with pytest.raises(ConfigurationError, match="has no domains besides those trained on"):
        Domains().sets(source, "test", None)


@pytest.mark.parametrize("domain", ["photo", "aerial"])
def test_what_is_trained_on_or_unknown_is_refused(root: Path, domain: str) -> None:
    told = f"names '{domain}', expected of those of pics-photo .*: comic, sketch"
    with pytest.raises(ConfigurationError, match=told):
        Domains([domain]).sets(folders(root, "photo"), "test", None)


@pytest.mark.parametrize("domains", [[], ["sketch", "sketch"]])
def test_domains_that_make_no_sense_are_refused(domains: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"domains is \[.*each once, or null"):
        Domains(domains)


@pytest.mark.parametrize("domains", [None, ["sketch"]])
def test_it_is_a_plugin(domains: list[str] | None) -> None:
    again = from_spec(spec_of(Domains(domains)))
    assert isinstance(again, Domains)
    assert again.domains == domains


def test_one_domain_alone_has_neither_labels_nor_examples() -> None:
    for ask in (Digits().domain_labels, Digits().domain_examples):
        with pytest.raises(ConfigurationError, match="Digits is a benchmark of one domain: it has"):
            ask("sketch", "test")  # type: ignore[operator]  # of one form


@pytest.mark.real_data
def test_real_domains(real_data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(real_data / "pacs60.zip") as archive:
        archive.extractall(tmp_path / "pacs60")
    source = folders(tmp_path / "pacs60", "photo")
    sets = Domains().sets(source, "test", 50)
    assert [one.key for one in sets] == ["domain-art_painting", "domain-cartoon", "domain-sketch"]
    assert all(not one.findings for one in sets)
    assert all(one.examples[0].images.shape == (3, 8, 8) for one in sets)
    together = np.concatenate([indices(one) for one in sets])
    assert len(set(together)) == 150
