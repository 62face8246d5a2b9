"""Benchmarks as tables on the Hugging Face hub: the variants that the study used."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_tuning.data.listing import Listing
from robust_tuning.errors import ConfigurationError, DataError

_SPLITS = ("train", "test")
_SECONDS = 5


@dataclass(frozen=True)
class HubSource:
    """A data set on the hub.

    Attributes:
        repository: Its name there, or a local folder in the hub's format.
        image: Column of the images.
        label: Column of the labels.
        first_label: The label of the first class.
        domain: Column of the domains, where there are several.
    """

    repository: str
    image: str = "image"
    label: str = "label"
    first_label: int = 0
    domain: str | None = None

    def listings(self, num_classes: int) -> dict[str, Listing]:
        """The lists of both splits; a file is named `SPLIT/ROW`.

        Raises:
            ConfigurationError: If the extra `hub` is not installed.
            DataError: If the hub cannot be reached, or holds other labels.
        """
        found, offset = {}, 0
        for split in _SPLITS:
            labels = self.column(split, self.label) - self.first_label
            if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
                message = (
                    f"{self.repository}: labels of {split} run from {labels.min()} to "
                    f"{labels.max()}, expected 0 to {num_classes - 1}; has it changed on the hub?"
                )
                raise DataError(message)
            rows = np.arange(len(labels), dtype=np.int64)
            found[split] = Listing(tuple(f"{split}/{row}" for row in rows), labels, rows + offset)
            offset += len(labels)
        return found

    def column(self, split: str, name: str) -> NDArray[np.int64]:
        """A column of integers, read at once and without an image.

        Raises:
            DataError: If it holds something else.
        """
        table = load_table(self, split).with_format("numpy", columns=[name])
        values: NDArray[Any] = np.asarray(table[:][name])
        if values.dtype.kind not in "iu":
            message = (
                f"{self.repository}: {name!r} of {split} holds {values.dtype}, expected an integer "
                "in every row; has it changed on the hub?"
            )
            raise DataError(message)
        return values.astype(np.int64)

    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes, where the hub has them."""
        names = getattr(load_table(self, "train").features[self.label], "names", None)
        return None if names is None else tuple(names)


class HubImages:
    """Images of a data set on the hub.

    Args:
        source: The data set.
        files: `SPLIT/ROW` of each image.
    """

    def __init__(self, source: HubSource, files: Sequence[str]) -> None:
        self.source = source
        self.files = np.array(files, dtype=np.str_)

    def __len__(self) -> int:
        return len(self.files)

    def name(self, position: int) -> str:
        """Repository, split and row."""
        return f"{self.source.repository}:{self.files[position]}"

    def read(self, position: int) -> bytes:
        """The bytes of the image file in the table.

        Raises:
            DataError: If there are none.
        """
        split, _, row = str(self.files[position]).partition("/")
        cell: dict[str, Any] | None = load_table(self.source, split)[int(row)][self.source.image]
        content: bytes | None = None if cell is None else cell["bytes"]
        if not content:
            message = f"{self.name(position)} holds no image; leave it out by a line in data.skip"
            raise DataError(message)
        return content

    def version(self, position: int) -> str:
        """The table's fingerprint and the row."""
        split = str(self.files[position]).partition("/")[0]
        return f"{load_table(self.source, split)._fingerprint} {self.files[position]}"


@cache
def load_table(source: HubSource, split: str) -> Any:  # noqa: ANN401  the extra has no types here
    """A split as a table of encoded images, from the hub's cache or the network.

    Raises:
        ConfigurationError: If the extra `hub` is not installed.
        DataError: If the table cannot be had, or has other columns.
    """
    try:
        import datasets
        from huggingface_hub import get_session
    except ImportError as error:
        message = (
            "data.source is 'hub', which needs the package datasets: "
            "pip install 'robust-tuning[hub]'"
        )
        raise ConfigurationError(message) from error
    try:
        if not (Path(source.repository).is_dir() or datasets.config.HF_HUB_OFFLINE):
            # Asked once and briefly: the hub's client retries for half a minute.
            get_session().head(datasets.config.HF_ENDPOINT, timeout=_SECONDS)
        table = datasets.load_dataset(source.repository, split=split)
    except Exception as error:  # of the network, of the hub, of the file format
        message = (
            f"{source.repository} cannot be loaded from the hub "
            f"({' '.join(str(error).split())[:300]}); is it reachable from here? With "
            "HF_HUB_OFFLINE=1 it is taken from the hub's cache; or use data.source: local"
        )
        raise DataError(message) from error
    wanted = [c for c in (source.image, source.label, source.domain) if c is not None]
    if not set(wanted) <= set(table.column_names):
        message = (
            f"{source.repository}: {split} has the columns {', '.join(table.column_names)}, "
            f"expected {', '.join(wanted)}; has it changed on the hub?"
        )
        raise DataError(message)
    return table.cast_column(source.image, datasets.Image(decode=False))
