"""Sets that models are measured on and never trained on, for the verb that works on files."""

from collections.abc import Mapping
from pathlib import Path

from robust_tuning.cli.benchmarks import todo
from robust_tuning.data.external import EXTERNAL_SETS, ExternalSet
from robust_tuning.errors import ConfigurationError


def find_external(name: str, settings: Mapping[str, object]) -> ExternalSet | None:
    """The set of that name, in whichever case and with whichever dots and dashes.

    Args:
        name: Such as `CIFAR10C` or `CIFAR-10.1`.
        settings: By name, those that mean something to benchmarks only.

    Returns:
        None if it is not the name of a set.

    Raises:
        ConfigurationError: If it is, and a setting was given.
    """
    plain = name.lower().translate(str.maketrans("", "", "-_."))
    found = next((e for e in EXTERNAL_SETS if e.name.lower() == plain), None)
    given = [setting for setting, value in settings.items() if value]
    if found is not None and given:
        message = f"--{given[0].replace('_', '-')} means nothing to {found.name}"
        raise ConfigurationError(message)
    return found


def prepare_external(external: ExternalSet, root: Path, *, download: bool) -> int:
    """Bring the files of a set to where evaluations look for them, verify them, and say so.

    Args:
        external: The set.
        root: Where they belong.
        download: Whether what is absent may be fetched.

    Returns:
        0, the exit status.

    Raises:
        DataError: If files cannot be had or are not the published ones.
    """
    place = root.expanduser().resolve()
    if external.find(place, external.usual) is None:
        for file in external.published(external.usual):
            print(todo(file, place, download=download), flush=True)
    home = external.locate(str(root), external.usual, download=download)
    opened = external.open(str(root), external.usual)
    print(f"{external.name} is in {home}")
    images = sum(len(rows.labels) for rows in opened.values())
    print(f"  {images:,} images in {', '.join(opened)}")
    overlay = f"configs/shifts/{external.name.lower()}.yaml"
    print(f"next: lay {overlay} over a configuration, with root: {root}")
    return 0
