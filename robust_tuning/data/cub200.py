"""CUB-200-2011: 200 species of birds."""

from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from robust_tuning.data.class_lists import read_classes
from robust_tuning.data.file_benchmark import FileBenchmark
from robust_tuning.data.hub import HubSource
from robust_tuning.data.listing import Listing
from robust_tuning.data.remote import RemoteFile
from robust_tuning.data.tables import labels_within, read_table
from robust_tuning.errors import DataError

_FOLDER = "CUB_200_2011"
_ARCHIVE = RemoteFile(
    name="CUB_200_2011.tgz",
    url="https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
    size=1_150_585_339,
    md5="97eceeb196236b17998738112f37df78",
    sha256="0c685df5597a8b24909f6a7c9db6d11e008733779a671760afef78feb49bf081",
    unpacks=(_FOLDER,),
    max_entries=20_000,
)


class CUB200(FileBenchmark):
    """CUB-200-2011: 11,788 photographs of 200 species of birds, split officially 5,994 / 5,794.

    `root` is or holds `CUB_200_2011/` or `CUB_200_2011.tgz`. An example's index is its official
    image number less one.

    Source: C. Wah et al., "The Caltech-UCSD Birds-200-2011 Dataset", CNS-TR-2011-001, 2011. The
    study's variant on the hub has the same split.
    """

    official: ClassVar[dict[str, int]] = {"train": 5994, "test": 5794}
    hub: ClassVar[HubSource | None] = HubSource("efekankavalci/CUB_200_2011")

    @cached_property
    def official_classes(self) -> tuple[str, ...]:
        """Species in official order."""
        return tuple(name.partition(".")[2] for name in read_classes("cub200"))

    def remote_files(self) -> tuple[RemoteFile, ...]:
        """The one archive."""
        return (_ARCHIVE,)

    def find(self, root: Path) -> Path | None:
        """The folder with `images.txt`."""
        return next((f for f in (root, root / _FOLDER) if (f / "images.txt").is_file()), None)

    def listings(self) -> dict[str, Listing]:
        """Join the three official tables by image number."""
        files = read_table(self.home / "images.txt")
        classes = read_table(self.home / "image_class_labels.txt")
        in_train = read_table(self.home / "train_test_split.txt")
        if not files.keys() == classes.keys() == in_train.keys():
            message = f"{self.home}: images.txt, image_class_labels.txt and train_test_split.txt "
            message += "name different images; unpack the archive again"
            raise DataError(message)
        numbers = sorted(files, key=int)
        everything = Listing(
            tuple(f"images/{files[number]}" for number in numbers),
            labels_within(
                [classes[number] for number in numbers],
                self.num_classes,
                self.home / "image_class_labels.txt",
                first=1,
            ),
            np.array([int(number) - 1 for number in numbers], dtype=np.int64),
        )
        train = np.array([in_train[number] == "1" for number in numbers])
        return {"train": everything.take(train), "test": everything.take(~train)}
