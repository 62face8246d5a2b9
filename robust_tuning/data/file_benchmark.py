"""What benchmarks made of image files have in common."""

from abc import ABC, abstractmethod
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from robust_tuning.data.augmentation import Augmentation, AugmentedExamples
from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.data.cache import Cache, cached
from robust_tuning.data.hub import HubImages, HubSource
from robust_tuning.data.image_files import EncodedExamples, EncodedImages, ImagePaths
from robust_tuning.data.listing import (
    Listing,
    held_out_of,
    missing_files,
    require_sizes,
    some_of,
)
from robust_tuning.data.locating import find_or_prepare
from robust_tuning.data.remote import RemoteFile
from robust_tuning.data.skipping import read_skip_list
from robust_tuning.data.views import CentreCrop, Proportional, View, WholeImage
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.types import Batch, ImageInput, Split


class FileBenchmark(BenchmarkDataModule, ABC):
    """Image files below a root, decoded by workers, shown at the size of the backbone.

    Evaluation shows the centre as the backbone's own data configuration says. Training shows the
    whole image resized to the model's input, or random crops of it (`augmentation`). A stratified
    part of the training images is held out for validation, chosen by their names.

    A subclass says what is published, where a root holds it, and which files make which split.

    Args:
        root: Folder with the official files, unpacked, or as the published archives.
        source: `local`, or `hub`: the variant on the Hugging Face hub that the study used, which
            may be split otherwise (extra `hub`).
        download: Fetch published files that are not below `root`.
        validation_fraction: Share of the training images to validate on, in (0, 1).
        image_size: Side of the square images in pixels; None takes the backbone's.
        crop_fraction: Share of the shorter side that the evaluation's crop keeps, in (0, 1]; None
            takes the backbone's.
        cache: Keep resized images `ram` (a memory file that the processes of a machine share, gone
            at the end) or `disk` (kept for later runs); `none` decodes in every epoch.
        cache_dir: Folder of the disk cache; None takes `~/.cache/robust_tuning`.
        skip: Text file of images to leave out, a path below the benchmark's folder per line, as
            `robust-tuning data check --write-skip` writes it.
        expected: Images per list where one's own version of the benchmark differs from the
            official one, such as `{train: 596, test: 600}`.
        batch_size: See `BenchmarkDataModule`.
        eval_batch_size: See `BenchmarkDataModule`.
        num_workers: See `BenchmarkDataModule`.
        train_limit: See `BenchmarkDataModule`.
        augmentation: See `BenchmarkDataModule`.
        seed: See `BenchmarkDataModule`.

    Raises:
        ConfigurationError: If an argument is out of range.
        DataError: If files are missing or damaged, or, while loading, if one cannot be decoded.
    """

    official: ClassVar[dict[str, int]] = {}
    hub: ClassVar[HubSource | None] = None

    def __init__(
        self,
        root: str,
        *,
        source: Literal["local", "hub"] = "local",
        download: bool = False,
        validation_fraction: float = 0.1,
        image_size: int | None = None,
        crop_fraction: float | None = None,
        cache: Cache = "none",
        cache_dir: str | None = None,
        skip: str | None = None,
        expected: dict[str, int] | None = None,
        batch_size: int = 128,
        eval_batch_size: int = 256,
        num_workers: int = 2,
        train_limit: int | None = None,
        augmentation: Augmentation = "none",
        seed: int = 0,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            train_limit=train_limit,
            augmentation=augmentation,
            seed=seed,
        )
        _refuse_out_of_range(image_size, crop_fraction, validation_fraction)
        if source == "hub" and self.hub is None:
            message = f"data.source is 'hub', but the hub has no {type(self).__name__} of the study"
            raise ConfigurationError(message)
        self.root = root
        self.source = source
        self.download = download
        self.validation_fraction = validation_fraction
        self.image_size = image_size
        self.crop_fraction = crop_fraction
        self.cache = cache
        self.cache_dir = cache_dir
        self.skip = skip
        self.expected = expected

    # What a subclass says.

    @property
    @abstractmethod
    def official_classes(self) -> tuple[str, ...]:
        """Names of the classes in the order of the official labels."""

    @abstractmethod
    def remote_files(self) -> tuple[RemoteFile, ...]:
        """What is published of the part in use."""

    @abstractmethod
    def find(self, root: Path) -> Path | None:
        """The folder below which `listings` finds its files; None if it is not (all) there."""

    @abstractmethod
    def listings(self) -> dict[str, Listing]:
        """The official lists: `train`, `test`, and `validation` where there is one.

        Raises:
            DataError: If a list is damaged.
        """

    @property
    def official_files(self) -> frozenset[str] | None:
        """The images that must be listed, no more and no fewer; None where any list may do."""
        return None

    # What all have in common.

    @property
    def class_names(self) -> tuple[str, ...]:
        """The official names, or the hub's where those are in use."""
        if self.hub is not None and self.source == "hub":
            return self.hub.class_names() or self.official_classes
        return self.official_classes

    @property
    def benchmark(self) -> str:
        """The class's name; a variant that is split otherwise says so."""
        return type(self).__name__ + ("-hub" if self.source == "hub" else "")

    @property
    def split_sizes(self) -> dict[Split, int]:
        """Examples of each split, known before any file is read where `expected` or we know it."""
        sizes = self.expected_sizes
        if self.source == "hub" or not {"train", "test"} <= set(sizes):
            return super().split_sizes
        held_out = held_out_of(sizes["train"], self.validation_fraction)
        return {
            "train": sizes["train"] - held_out,
            "validation": held_out,
            "test": sizes["test"],
        }

    @property
    def expected_sizes(self) -> dict[str, int]:
        """Images that each list must hold."""
        return self.official if self.expected is None else self.expected

    def prepare_data(self) -> None:
        """Find, or download and unpack, the files; once per machine."""
        _ = self.split_listings

    @cached_property
    def home(self) -> Path:
        """The folder that the paths of all listings are below.

        Raises:
            DataError: If something is missing and cannot be had.
        """
        return find_or_prepare(
            self.root,
            self.find,
            self.remote_files,
            download=self.download,
            what=type(self).__name__,
        )

    @cached_property
    def complete_listings(self) -> dict[str, Listing]:
        """The official lists with the number of images that they must have."""
        if self.hub is not None and self.source == "hub":
            return self.hub.listings(self.num_classes)
        listings = self.listings()
        self.require_complete(listings)
        return listings

    def require_complete(self, listings: dict[str, Listing]) -> None:
        """Refuse lists that do not hold what they must.

        Raises:
            DataError: Says which, and how many images they hold.
        """
        sizes = {name: len(listing) for name, listing in listings.items()}
        require_sizes(type(self).__name__, sizes, self.expected_sizes)

    @cached_property
    def split_listings(self) -> dict[Split, Listing]:
        """The files of each split, all of them present, without those to skip."""
        lists = self.complete_listings
        if "validation" in lists:
            validation, train = lists["validation"], lists["train"]
        else:
            validation, train = lists["train"].hold_out(self.validation_fraction)
        return {
            "train": self.present(train),
            "validation": self.present(validation),
            "test": self.present(lists["test"]),
        }

    def present(self, listing: Listing) -> Listing:
        """The files of a listing that are not to be skipped.

        Raises:
            DataError: If one of them is not there.
        """
        if self.skip is not None:
            listing = listing.without(read_skip_list(self.skip))
        missing = [] if self.source == "hub" else missing_files(self.home, listing.files)
        if missing:
            message = (
                f"{self.home} lacks {len(missing)} of {len(listing)} listed images: "
                f"{some_of(missing)}; was it unpacked completely? Remove it and prepare it again, "
                f"or see `robust-tuning data check {type(self).__name__} --root {self.root}`"
            )
            raise DataError(message)
        return listing

    def load(self, split: Split) -> Dataset[Batch]:
        """The split as evaluations see it; images are decoded when they are fetched."""
        return self.examples(self.split_listings[split], CentreCrop(self.shown_input))

    def training_examples(self) -> Dataset[Batch]:
        """The training split as training sees it."""
        view = WholeImage if self.augmentation == "none" else Proportional
        return self.limited(self.examples(self.split_listings["train"], view(self.shown_input)))

    def training_size(self) -> tuple[int, int]:
        """The backbone's input size."""
        return self.shown_input.size, self.shown_input.size

    def workers_for(self, examples: Dataset[Batch]) -> int:
        """None where images are only copied: passing them on would take longer."""
        copied = self.cache != "none" and not isinstance(examples, AugmentedExamples)
        return 0 if copied else self.num_workers

    def examples(self, listing: Listing, view: View) -> Dataset[Batch]:
        """The examples of a listing, from the cache where there is to be one."""
        decoded = EncodedExamples(self.encoded(listing), listing.labels, listing.indices, view)
        if self.cache == "none":
            return decoded
        return cached(
            decoded, self.cache, self.cache_dir, name=self.benchmark, num_workers=self.num_workers
        )

    def encoded(self, listing: Listing) -> EncodedImages:
        """The image files of a listing."""
        if self.hub is not None and self.source == "hub":
            return HubImages(self.hub, listing.files)
        return ImagePaths(self.home, listing.files)

    def labels(self, split: Split) -> NDArray[np.int64]:
        """Labels in the order of `load`."""
        return self.split_listings[split].labels

    def identities(self, split: Split) -> list[str]:
        """Paths below the benchmark's folder."""
        return list(self.split_listings[split].files)

    @property
    def shown_input(self) -> ImageInput:
        """The backbone's input, where no argument says otherwise."""
        given = {"size": self.image_size, "crop_fraction": self.crop_fraction}
        return replace(self.image_input, **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]  # an int and a float


def _refuse_out_of_range(
    image_size: int | None, crop_fraction: float | None, validation_fraction: float
) -> None:
    if image_size is not None and image_size < 1:
        message = f"data.image_size is {image_size}, expected a side in pixels such as 224"
        raise ConfigurationError(message)
    if crop_fraction is not None and not 0 < crop_fraction <= 1:
        message = f"data.crop_fraction is {crop_fraction}, expected in (0, 1]"
        raise ConfigurationError(message)
    if not 0 < validation_fraction < 1:
        message = f"data.validation_fraction is {validation_fraction}, expected in (0, 1)"
        raise ConfigurationError(message)
