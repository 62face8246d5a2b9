"""The configurations that come with the package, found wherever the command is run."""

from pathlib import Path

import robust_tuning
from robust_tuning.errors import ConfigurationError


def shipped_root() -> Path:
    """Where `configs/` and `sweeps/` are: inside a wheel, beside the package in a checkout."""
    package = Path(robust_tuning.__file__).parent
    wheel = package / "shipped"
    return wheel if wheel.is_dir() else package.parent


def find_config(path: str) -> Path:
    """Find a configuration file: as given, or among the shipped ones.

    Args:
        path: What the user wrote, such as `configs/quickstart.yaml`, `quickstart.yaml` or
            `strategies/lora.yaml`.

    Raises:
        ConfigurationError: If there is neither; the message lists the shipped ones.
    """
    given = Path(path).expanduser()
    if given.is_file():
        return given
    root = shipped_root()
    if not given.is_absolute():
        for candidate in (root / path, root / "configs" / path):
            if candidate.is_file():
                return candidate
    known = ", ".join(shipped_configs())
    message = f"--config {path}: no such file here or among the shipped ones: {known}"
    raise ConfigurationError(message)


def find_sweep(path: str) -> Path:
    """Find a sweep file: as given, or among the shipped ones.

    Args:
        path: What the user wrote, such as `sweeps/quickstart.yaml` or `quickstart.yaml`.

    Raises:
        ConfigurationError: If there is neither; the message lists the shipped ones.
    """
    given = Path(path).expanduser()
    if given.is_file():
        return given
    sweeps = shipped_root() / "sweeps"
    shipped = sweeps / given.name
    if given.parts[:-1] in ((), ("sweeps",)) and shipped.is_file():
        return shipped
    known = ", ".join(sorted(f"sweeps/{file.name}" for file in sweeps.glob("*.yaml")))
    message = f"{path}: no such sweep file here or among the shipped ones: {known}"
    raise ConfigurationError(message)


def shipped_configs() -> list[str]:
    """Names of the shipped configurations, as `--config` takes them."""
    root = shipped_root()
    return sorted(f.relative_to(root).as_posix() for f in (root / "configs").rglob("*.yaml"))
