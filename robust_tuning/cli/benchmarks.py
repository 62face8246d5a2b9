"""Benchmarks by their names, for verbs that work on files without training."""

import difflib
import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

from robust_tuning.cli.plugins import concrete_subclasses
from robust_tuning.cli.shipped import shipped_configs
from robust_tuning.data.cifar import Cifar
from robust_tuning.data.domain_benchmark import DomainBenchmark
from robust_tuning.data.domainnet import DomainNet
from robust_tuning.data.external import EXTERNAL_SETS
from robust_tuning.data.file_benchmark import FileBenchmark
from robust_tuning.data.remote import RemoteFile
from robust_tuning.errors import ConfigurationError

Benchmark = Cifar | FileBenchmark


def find_benchmark(name: str) -> type[Benchmark]:
    """The benchmark of that name, in whichever case, or of that import path.

    Raises:
        ConfigurationError: If there is none that is made of files; lists the known ones.
    """
    found: object
    if "." in name:
        module, _, attribute = name.rpartition(".")
        try:
            found = getattr(import_module(module), attribute, None)
        except ImportError as error:
            message = f"{name} cannot be imported ({error}); expected the path of a class"
            raise ConfigurationError(message) from error
    else:
        found = _known().get(name.lower())
    if isinstance(found, type) and issubclass(found, Benchmark) and not inspect.isabstract(found):
        return found
    names = {key: cls.__name__ for key, cls in _known().items()}
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    hint = f"did you mean {names[near[0]]}? " if near else ""
    to_measure_on = ", ".join(external.name for external in EXTERNAL_SETS)
    message = (
        f"there is no benchmark of files {name!r}; {hint}known: "
        f"{', '.join(sorted(names.values()))}; and to measure on: {to_measure_on}"
    )
    raise ConfigurationError(message)


def build_benchmark(kind: type[Benchmark], root: Path, settings: dict[str, Any]) -> Benchmark:
    """A benchmark with the settings that were given; by default with all domains that it has.

    Args:
        kind: Its class.
        root: Folder of its files.
        settings: By name; those that are None were not given.

    Raises:
        ConfigurationError: If the benchmark takes no such setting, or not this value.
        DataError: If the root would tell which domains there are, and is not there.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    for name in given:
        if not takes(kind, name):
            message = f"--{name} means nothing to {kind.__name__}"
            raise ConfigurationError(message)
    if issubclass(kind, DomainBenchmark) and "domains" not in given:
        given["domains"] = kind.all_domains(root.expanduser().resolve())
    try:
        return kind(str(root), **given)
    except TypeError as error:
        message = f"{kind.__name__} cannot be set up with a root alone: {error}"
        raise ConfigurationError(message) from error


def takes(kind: type[Benchmark], setting: str) -> bool:
    """Whether a benchmark has a setting of that name."""
    return setting in inspect.signature(kind).parameters


def todo(file: RemoteFile, root: Path, *, download: bool) -> str:
    """What a preparation will do about a published file.

    Args:
        file: What is published.
        root: Where it belongs.
        download: Whether it may be fetched.
    """
    if file.is_present(root):
        return f"{file.name}: there"
    if (root / file.name).exists():
        return f"{file.name}: unpack it"
    if download:
        return f"{file.name}: get {file.size:,} bytes from {file.url}"
    return f"{file.name}: not there"


def training_words(name: str, data: Benchmark) -> list[str]:
    """The words of the command that trains on a benchmark.

    Args:
        name: What the user calls it.
        data: The benchmark.
    """
    short = type(data).__name__.lower()
    shipped = (Path(config) for config in shipped_configs())
    own = [
        config.as_posix()
        for config in shipped
        if config.parent.name == "configs" and config.stem.replace("_", "") == short
    ]
    begin = ["--config", own[0]] if own else ["--config", "YOURS.yaml", "--data", name]
    words = ["robust-tuning", "fit", *begin, "--data.root", data.root]
    if isinstance(data, DomainNet) and data.ood_domains:  # the configuration wants all six
        first, *others = sorted(data.domains, key=lambda domain: domain != "real")
        words += ["--data.domains", f"[{first}]", "--data.ood_domains", f"[{', '.join(others)}]"]
    return words


def _known() -> dict[str, type[Benchmark]]:
    classes = (*concrete_subclasses(Cifar), *concrete_subclasses(FileBenchmark))
    return {
        cls.__name__.lower(): cls for cls in classes if cls.__module__.startswith("robust_tuning.")
    }
