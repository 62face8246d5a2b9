"""Scalar curves as one growing file."""

import csv
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from robust_tuning.frontier.files import replace_file
from robust_tuning.storage import storage_errors

_HEADER = ["step", "metric", "value"]


class MetricsFile(Logger):
    """Appends every scalar to `metrics.csv`, a row each: step, metric, value.

    A resumed run continues the file, once it has been told from where.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "metrics.csv"
        self._opened = False

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.path.parent.name

    @property
    def version(self) -> str:
        """There is one file per run."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, *_: Any, **__: Any) -> None:  # noqa: ANN401  Lightning's signature
        """Nothing: `config.yaml` holds the settings."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append one row per metric; at once, since a resumed run logs nothing again.

        Raises:
            DataError: If the disk is full or the folder closed.
        """
        at = 0 if step is None else step
        rows = [(at, name, float(value)) for name, value in metrics.items()]
        with storage_errors("writing the curves", self.path.parent):
            if not self._opened:
                self._write(self._read())
            with self.path.open("a", newline="") as file:
                csv.writer(file).writerows(rows)

    @rank_zero_only
    def rewind(self, step: int, point: int) -> None:
        """Forget what a run that continues logs again.

        Args:
            step: How many steps are done; the curves count them from 0.
            point: From this step on, the rows of points are forgotten.

        Raises:
            DataError: If the disk is full or the folder closed.
        """
        with storage_errors("writing the curves", self.path.parent):
            if self.path.exists():
                kept = (r for r in self._read() if int(r[0]) < (point if _of_point(r) else step))
                self._write(list(kept))

    def _write(self, rows: list[list[str]]) -> None:
        text = StringIO(newline="")
        csv.writer(text).writerows([_HEADER, *rows])
        replace_file(self.path, lambda file: file.write(text.getvalue().encode()))
        self._opened = True

    def _read(self) -> list[list[str]]:
        if not self.path.exists():
            return []
        # A kill may have cut the last row off.
        lines = self.path.read_bytes().decode().rpartition("\n")[0].split("\n")
        return [row for row in csv.reader(lines) if len(row) == 3 and row[0].isdigit()]


def _of_point(row: list[str]) -> bool:
    return row[1].startswith("frontier/")
