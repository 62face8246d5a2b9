import shlex
from pathlib import Path
from typing import Any, get_args

import pytest

from robust_tuning.cli.benchmarks import build_benchmark, find_benchmark, takes, training_words
from robust_tuning.data import (
    CIFAR10,
    CUB200,
    Caltech256,
    DomainFolders,
    DomainNet,
    ImageFolder,
    StanfordDogs,
)
from robust_tuning.data.cifar import Cifar
from robust_tuning.data.domainnet import Domain
from robust_tuning.data.file_benchmark import FileBenchmark
from robust_tuning.errors import ConfigurationError, DataError
from tests.cli.parsing import parse
from tests.data.own_benchmarks import FewBirds


class Demanding(FewBirds):
    """Cannot be had with a root alone."""

    def __init__(self, root: str, colour: str) -> None:
        super().__init__(root)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("CUB200", CUB200),
        ("cub200", CUB200),
        ("cifar10", CIFAR10),
        ("STANFORDDOGS", StanfordDogs),
        ("imagefolder", ImageFolder),
        ("tests.data.own_benchmarks.FewBirds", FewBirds),
        ("robust_tuning.data.CUB200", CUB200),
    ],
)
def test_a_benchmark_is_found(name: str, kind: type) -> None:
    assert find_benchmark(name) is kind


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("CUB", "did you mean CUB200? known: CIFAR10, CIFAR100, CUB200, Caltech256, DomainF"),
        ("stanford_dogs", "did you mean StanfordDogs?"),
        ("Digits", "known: CIFAR10"),
        ("robust_tuning.data.Digits", "there is no benchmark of files"),
        ("robust_tuning.data.file_benchmark.FileBenchmark", "there is no benchmark of files"),
        ("robust_tuning.data.CUB20", "there is no benchmark of files"),
        ("tests.nowhere.Birds", "tests.nowhere.Birds cannot be imported"),
        ("FewBirds", "known: CIFAR10"),
    ],
)
def test_what_is_no_benchmark_answers_with_the_known_ones(name: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        find_benchmark(name)
    assert told in str(error.value)
    assert "FewBirds," not in str(error.value)


def test_settings_that_were_given_are_passed_on(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"skip": "x.txt", "expected": {"all": 3}, "clutter": True}
    data = build_benchmark(Caltech256, tmp_path, {**settings, "domains": None})
    assert isinstance(data, Caltech256)
    assert (data.root, data.skip, data.clutter) == (str(tmp_path), "x.txt", True)
    assert data.expected == {"all": 3}


@pytest.mark.parametrize(
    ("kind", "setting"),
    [(CUB200, "domains"), (CUB200, "clutter"), (CIFAR10, "skip"), (ImageFolder, "expected")],
)
def test_settings_of_other_benchmarks_are_refused(
    kind: type[Cifar | FileBenchmark], setting: str
) -> None:
    assert not takes(kind, setting)
    with pytest.raises(ConfigurationError, match=f"--{setting} means nothing to {kind.__name__}"):
        build_benchmark(kind, Path("x"), {setting: "value"})


def test_a_class_that_wants_more_says_so() -> None:
    with pytest.raises(ConfigurationError, match=r"Demanding cannot be set up.*colour"):
        build_benchmark(Demanding, Path("x"), {})


def test_all_domains_unless_some_are_chosen() -> None:
    every, one = (
        build_benchmark(DomainNet, Path("x"), {"domains": domains})
        for domains in (None, ["sketch"])
    )
    assert isinstance(every, DomainNet)
    assert isinstance(one, DomainNet)
    assert (sorted(every.domains), every.ood_domains) == (sorted(get_args(Domain)), [])
    assert one.domains == ["sketch"]
    with pytest.raises(ConfigurationError, match="there is no 'photo'"):
        build_benchmark(DomainNet, Path("x"), {"domains": ["photo"]})


def test_domains_in_folders_are_those_that_are_there(tmp_path: Path) -> None:
    for name in ("sketch", "photo", ".git"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.txt").touch()
    every, one = (
        build_benchmark(DomainFolders, tmp_path, {"domains": domains})
        for domains in (None, ["sketch"])
    )
    assert isinstance(every, DomainFolders)
    assert isinstance(one, DomainFolders)
    assert (every.domains, every.ood_domains) == (["photo", "sketch"], [])
    assert (one.domains, one.ood_domains) == (["sketch"], ["photo"])
    with pytest.raises(DataError, match=r"x', which is no folder; expected"):
        build_benchmark(DomainFolders, tmp_path / "x", {})


@pytest.mark.parametrize("kind", [CIFAR10, CUB200, Caltech256, StanfordDogs, ImageFolder])
def test_the_command_that_trains_is_one(kind: type[Cifar | FileBenchmark], tmp_path: Path) -> None:
    root = tmp_path / "a folder"
    command = shlex.join(training_words("name", build_benchmark(kind, root, {})))
    config = parse(*shlex.split(command)[1:])
    assert config.data.class_path.rpartition(".")[2] == kind.__name__
    assert config.data.init_args.root == str(root)


@pytest.mark.parametrize(
    ("chosen", "trained", "others"),
    [
        (["sketch"], ["sketch"], []),
        (["clipart", "real", "sketch"], ["real"], ["clipart", "sketch"]),
    ],
)
def test_training_on_some_domains(chosen: list[str], trained: list[str], others: list[str]) -> None:
    data = build_benchmark(DomainNet, Path("x"), {"domains": chosen})
    settings = parse(*training_words("domainnet", data)[1:]).data.init_args
    assert (settings.domains, settings.ood_domains) == (trained, others)


def test_training_on_all_domains_is_the_configurations_business() -> None:
    words = training_words("DomainNet", build_benchmark(DomainNet, Path("x"), {}))
    assert words == [
        *("robust-tuning", "fit", "--config", "configs/domainnet.yaml", "--data.root", "x")
    ]


def test_someone_elses_benchmark_has_no_configuration_of_ours() -> None:
    words = training_words("birds.FewBirds", FewBirds("x"))
    assert shlex.join(words[2:]) == "--config YOURS.yaml --data birds.FewBirds --data.root x"
