from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from robust_tuning.data import DomainFolders, DomainNet
from robust_tuning.data.domain_benchmark import DomainBenchmark, require_apart
from robust_tuning.errors import ConfigurationError
from robust_tuning.types import Split
from tests.data.small_benchmarks import lay_out
from tests.layouts import lay_out_domain_folders
from tests.material import Material

Make = Callable[[Path], DomainBenchmark]


def net(root: Path) -> DomainBenchmark:
    return DomainNet(**lay_out(DomainNet, root), domains=["real"], ood_domains=["sketch"])


def folders(root: Path) -> DomainBenchmark:
    made = {name: Material.synthetic(["ant", "bee"], 20, 4) for name in ("real", "sketch")}
    lay_out_domain_folders(made, root)
    return DomainFolders(str(root), domains=["real"])


@pytest.fixture(params=[net, folders], ids=["DomainNet", "DomainFolders"])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> DomainBenchmark:
    make: Make = request.param
    benchmark = make(tmp_path)
    benchmark.num_workers, benchmark.image_size = 0, 8
    return benchmark


@pytest.mark.parametrize("domain", ["real", "sketch"])
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_labels_are_those_of_the_examples(data: DomainBenchmark, domain: str, split: Split) -> None:
    examples = data.domain_examples(domain, split)
    labels = data.domain_labels(domain, split)
    assert labels.dtype == np.int64
    assert [int(examples[i].labels) for i in range(len(labels))] == labels.tolist()
    indices = data.domain_listing(domain, split).indices
    assert [int(examples[i].indices) for i in range(len(labels))] == indices.tolist()


def test_the_domain_trained_on_is_measured_on_the_benchmarks_splits(data: DomainBenchmark) -> None:
    for split, listing in data.split_listings.items():
        assert data.domain_listing("real", split).files == listing.files


def test_nothing_of_a_domain_is_in_two_splits_or_another_domain(data: DomainBenchmark) -> None:
    splits: tuple[Split, ...] = ("train", "validation", "test")
    found = [data.domain_listing(d, split).indices for d in ("real", "sketch") for split in splits]
    together = np.concatenate(found)
    assert all(len(part) for part in found)
    assert len(set(together)) == len(together)


def test_a_domain_that_is_not_in_use_is_refused(data: DomainBenchmark) -> None:
    for ask in (data.domain_listing, data.domain_labels, data.domain_examples):
        with pytest.raises(ConfigurationError, match=r"domain 'clipart' is not among .* real, sk"):
            ask("clipart", "test")  # type: ignore[operator]  # of one form


@pytest.mark.parametrize(
    ("domains", "others"), [([], ["a"]), (["a", "a"], []), (["a"], ["b", "a"]), (["a"], ["b", "b"])]
)
def test_each_domain_is_on_one_side(domains: list[str], others: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="at least one domain to train on, each once"):
        require_apart(domains, others)
    require_apart(["a"], ["b"])
