"""Any folder of images."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.data.external import Folder, FolderExamples, evaluation_view, list_folder
from robust_tuning.errors import DataError
from robust_tuning.shifts.base import Shift, ShiftedSet
from robust_tuning.shifts.label_file import read_label_file
from robust_tuning.shifts.label_map import LabelMap
from robust_tuning.types import Split


class FolderShift(Shift):
    """Images in `ROOT/CLASS/`, labelled by the names of their folders or by a map of labels.

    They are shown as the benchmark shows its own photographs: resized and cropped around the
    centre, at the size of the backbone's input. An example's index is its place among the sorted
    paths of all images, those left out included. Which images there are is looked up each time, by
    the endings of their names; one that cannot be decoded ends the evaluation with its name.

    Args:
        root: The folder.
        labels: A YAML file: for the name of a folder the benchmark's class, or `null` to leave its
            images out. A folder that it does not name goes by its own name.
        name: What the set is called; None takes the folder's name.
        masked: Whether classes of the benchmark that no folder becomes are no answers.
    """

    def __init__(
        self,
        root: str,
        *,
        labels: str | None = None,
        name: str | None = None,
        masked: bool = False,
    ) -> None:
        self.root = root
        self.labels = labels
        self._name = name or Path(root).expanduser().resolve().name
        self.masked = masked

    @property
    def name(self) -> str:
        """As given, or the folder's."""
        return self._name

    def label_map(self, source: BenchmarkDataModule) -> LabelMap:
        """By the names of the folders."""
        return self._map(list_folder(self.root), source)

    def sets(
        self,
        source: BenchmarkDataModule,
        split: Split,  # noqa: ARG002  it has none
        n: int | None,
    ) -> Sequence[ShiftedSet]:
        """The one set.

        Raises:
            ConfigurationError: If a class is named that does not exist, or the map is no map.
            DataError: If there are fewer than `n` images, or none.
        """
        folder = list_folder(self.root)
        mapped = self._map(folder, source)
        kept, labels = mapped.apply(folder.labels())
        files = [folder.images[place] for place in kept]
        if not files:
            message = f"{folder.path} holds images of classes that are left out, and no others"
            raise DataError(message)
        chosen = source.chosen(files, n, f"shifted set {self.name}")
        examples = FolderExamples(
            folder.path,
            [files[place] for place in chosen],
            labels[chosen],
            kept[chosen],
            evaluation_view(source),
        )
        names = zip(mapped.names, mapped.targets, strict=True)
        settings = {
            "labels": {name: None if to < 0 else mapped.classes[to] for name, to in names},
            "images": sha256("\n".join(folder.images).encode()).hexdigest()[:16],
        }
        findings = [*mapped.findings(folder.labels()), *_others(folder)]
        return [ShiftedSet(self.name, examples, mapped, settings=settings, findings=findings)]

    def _map(self, folder: Folder, source: BenchmarkDataModule) -> LabelMap:
        renamed = None if self.labels is None else read_label_file(self.labels)
        where = f"the folders of {folder.path}" if self.labels is None else str(self.labels)
        return LabelMap.by_name(
            folder.classes, source.class_names, renamed, masked=self.masked, where=where
        )


def _others(folder: Folder) -> list[str]:
    """What lies there and is not looked at."""
    if not folder.others:
        return []
    more = " and more" if len(folder.others) > 1 else ""
    return [f"{len(folder.others)} files are no images in folders ({folder.others[0]!r}{more})"]
