from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robust_tuning.data import DomainNet
from robust_tuning.errors import ConfigurationError, DataError
from tests.data.small_benchmarks import lay_out
from tests.layouts import lay_out_domainnet
from tests.material import real_domainnet


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    return {"num_workers": 0, "image_size": 16, **lay_out(DomainNet, tmp_path)}


OFFICIAL = {
    "clipart": (33_525, 14_604),
    "infograph": (36_023, 15_582),
    "painting": (50_416, 21_850),
    "quickdraw": (120_750, 51_750),
    "real": (120_906, 52_041),
    "sketch": (48_212, 20_916),
}


@pytest.mark.parametrize("domain", OFFICIAL)
def test_sizes_are_known_before_anything_is_there(domain: str) -> None:
    data = DomainNet("nowhere", domains=[domain])  # type: ignore[list-item]  # of those known
    sizes = data.split_sizes
    assert data.num_classes == 345
    assert (sizes["train"] + sizes["validation"], sizes["test"]) == OFFICIAL[domain]
    assert data.benchmark == f"DomainNet-{domain}"
    assert domain not in data.ood_domains
    assert len(data.ood_domains) == 5


def test_all_domains_together_are_the_cleaned_version() -> None:
    data = DomainNet("nowhere", domains=list(OFFICIAL))  # type: ignore[arg-type]  # of those known
    assert sum(data.split_sizes.values()) == 586_575
    assert data.ood_domains == []
    assert sum(file.size for file in data.remote_files() if file.unpacks) == 18_444_888_275


def test_labels_are_those_of_the_lists(settings: dict[str, Any], tmp_path: Path) -> None:
    # Renamed folders would change a label that came from their order.
    for half in ("train", "test"):
        path = tmp_path / f"real_{half}.txt"
        path.write_text(path.read_text().replace("real/", "real/zz"))
    for folder in (tmp_path / "real").iterdir():
        folder.rename(folder.with_name(f"zz{folder.name}"))
    data = DomainNet(**settings)
    for split in ("train", "validation", "test"):
        numbers = [int(f.split("/")[2].split("_")[1]) for f in data.identities(split)]
        assert (data.labels(split) == np.array(numbers) - 1).all()


def test_images_that_no_list_names_are_left_alone(settings: dict[str, Any], tmp_path: Path) -> None:
    listings = DomainNet(**settings).split_listings.values()
    listed = {file for listing in listings for file in listing.files}
    on_disk = {p.relative_to(tmp_path).as_posix() for p in (tmp_path / "real").rglob("*.*g")}
    assert listed < on_disk
    assert len(on_disk - listed) == 3


def test_lists_may_lie_in_a_folder_of_their_own(settings: dict[str, Any], tmp_path: Path) -> None:
    before = DomainNet(**settings).identities("test")
    (tmp_path / "txt").mkdir()
    for path in tmp_path.glob("*.txt"):
        path.rename(tmp_path / "txt" / path.name)
    assert DomainNet(**settings).identities("test") == before


def test_other_domains_are_measured_on_their_test_lists(settings: dict[str, Any]) -> None:
    data = DomainNet(**settings, ood_domains=["sketch", "clipart"])
    for domain in ("sketch", "clipart"):
        examples = data.domain_examples(domain, "test")
        assert len(examples) == 12  # type: ignore[arg-type]  # sized
        assert {f.partition("/")[0] for f in data.domain_listing(domain).files} == {domain}
        assert examples[0].images.shape == (3, 16, 16)
    few = data.domain_examples("sketch", "test", 5)
    assert [int(few[i].indices) for i in range(3)] == [
        int(data.domain_examples("sketch", "test", 3)[i].indices) for i in range(3)
    ]


def test_other_domains_have_a_validation_split_too(settings: dict[str, Any]) -> None:
    data = DomainNet(**settings, validation_fraction=0.25)
    held_out = set(data.domain_listing("sketch", "validation").files)
    assert len(held_out) == 15
    assert held_out.isdisjoint(data.domain_listing("sketch", "test").files)
    assert held_out == set(
        DomainNet(**settings, domains=["sketch"], validation_fraction=0.25).identities("validation")
    )
    assert len(data.domain_examples("sketch", "validation")) == 15  # type: ignore[arg-type]  # sized


def test_of_domains_that_train_together_each_is_measured_on_what_was_held_out(
    settings: dict[str, Any],
) -> None:
    data = DomainNet(**settings, domains=["sketch", "real"])
    parts = [set(data.domain_listing(domain, "validation").files) for domain in data.domains]
    assert all(parts)
    assert parts[0] | parts[1] == set(data.identities("validation"))
    assert {f.partition("/")[0] for f in parts[0]} == {"sketch"}


def test_a_domain_of_its_own_is_measured_like_any(settings: dict[str, Any]) -> None:
    data = DomainNet(**settings)
    assert data.domain_listing("real").files == data.split_listings["test"].files


def test_an_index_belongs_to_an_image_whichever_domains_are_in_use(
    settings: dict[str, Any],
) -> None:
    def numbered(*domains: str) -> dict[str, int]:
        data = DomainNet(**settings, domains=list(domains))  # type: ignore[arg-type]  # of those known
        listings = data.split_listings.values()
        return {f: int(i) for x in listings for f, i in zip(x.files, x.indices, strict=True)}

    alone, together = numbered("sketch"), numbered("real", "sketch", "clipart")
    assert alone.items() <= together.items()
    assert len(set(together.values())) == len(together) == 3 * 72
    ood = DomainNet(**settings).domain_listing("sketch")
    assert [together[f] for f in ood.files] == ood.indices.tolist()


def test_several_domains_train_together(settings: dict[str, Any]) -> None:
    data = DomainNet(**settings, domains=["sketch", "real"])
    assert data.split_sizes == {"train": 108, "validation": 12, "test": 24}
    assert {f.partition("/")[0] for f in data.identities("train")} == {"real", "sketch"}
    assert data.benchmark == "DomainNet-real+sketch"
    assert data.ood_domains == ["clipart", "infograph", "painting", "quickdraw"]


def test_a_class_may_lack_examples(settings: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "sketch_test.txt"
    kept = [line for line in path.read_text().splitlines() if not line.endswith(" 344")]
    path.write_text("\n".join(kept))
    settings["expected"]["sketch_test"] = len(kept)
    data = DomainNet(**settings)
    assert set(data.domain_listing("sketch").labels) == {0, 40}
    assert data.num_classes == 345


def test_missing_domains_are_found_when_they_are_used(settings: dict[str, Any]) -> None:
    data = DomainNet(**settings)
    data.prepare_data()
    with pytest.raises(DataError, match=r"quickdraw\.zip \(459,920,701 bytes"):
        data.domain_examples("quickdraw", "test")


def test_another_number_of_lines_is_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "real_test.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    with pytest.raises(DataError, match="real_test lists 11 images, expected 12"):
        DomainNet(**settings).prepare_data()


@pytest.mark.parametrize("label", ["345", "-1", "cat"])
def test_a_label_out_of_range_is_refused(
    settings: dict[str, Any], tmp_path: Path, label: str
) -> None:
    path = tmp_path / "real_test.txt"
    path.write_text(path.read_text().replace(" 344", f" {label}", 1))
    with pytest.raises(DataError, match=rf"real_test\.txt: .*{label}"):
        DomainNet(**settings).prepare_data()


@pytest.mark.parametrize(
    "settings",
    [
        {"domains": []},
        {"domains": ["real", "real"]},
        {"domains": ["photo"]},
        {"domains": ["real"], "ood_domains": ["real"]},
        {"domains": ["real"], "ood_domains": ["x"]},
    ],
)
def test_domains_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.domains"):
        DomainNet("nowhere", **settings)


def test_a_list_that_does_not_exist_is_not_expected() -> None:
    with pytest.raises(ConfigurationError, match="names a list 'real_trian'"):
        DomainNet("nowhere", expected={"real_trian": 3})


def test_a_domain_left_out_is_not_measured(settings: dict[str, Any]) -> None:
    data = DomainNet(**settings, ood_domains=["sketch"])
    with pytest.raises(ConfigurationError, match=r"'clipart' is not among .*: real, sketch"):
        data.domain_listing("clipart")


@pytest.mark.real_data
def test_real_domains_in_the_official_layout(real_data: Path, tmp_path: Path) -> None:
    counts = lay_out_domainnet(real_domainnet(real_data), tmp_path)
    expected = {
        f"{d}_{half}": getattr(n, half) for d, n in counts.items() for half in ("train", "test")
    }
    data = DomainNet(str(tmp_path), expected=expected, num_workers=0, image_size=32)
    assert data.split_sizes == {"train": 252, "validation": 28, "test": 140}
    # Sketches are black on white, photographs are not.
    bright = {
        domain: float(
            np.mean(
                [
                    data.domain_examples(domain, "test", 20)[i].images.float().mean()
                    for i in range(20)
                ]
            )
        )
        for domain in ("real", "sketch")
    }
    assert bright["sketch"] > 200 > bright["real"]
