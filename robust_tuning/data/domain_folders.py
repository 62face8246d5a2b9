"""One's own images in folders of domains."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from robust_tuning.data.augmentation import Augmentation
from robust_tuning.data.cache import Cache
from robust_tuning.data.domain_benchmark import DomainBenchmark, require_apart
from robust_tuning.data.domain_layout import (
    LAYOUTS,
    SPLITS,
    is_cut,
    read_domain,
    trained_classes,
)
from robust_tuning.data.image_folder import subfolders
from robust_tuning.data.listing import Listing, some_of
from robust_tuning.data.remote import RemoteFile
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.types import Split


class DomainFolders(DomainBenchmark):
    """Images of the same classes in a folder per domain, such as PACS, VLCS or Office-Home.

    Either `ROOT/DOMAIN/train/CLASS/` and `ROOT/DOMAIN/test/CLASS/`, with `validation/` beside them
    or not, or `ROOT/DOMAIN/CLASS/`, as these sets are published. Where there is no test folder or
    no validation folder, a stratified part is held out, domain by domain and chosen by the images'
    paths. The classes are those of the domains trained on. Another domain may lack some of them,
    but has no more.

    An example's split and index depend on its own domain alone, whichever domains are in use and
    whatever else lies in the root; its index is a hash of its path below the root, and remains
    when other images come or go. Hidden files and folders do not count.

    Args:
        root: The folder that holds the domains' folders.
        domains: To train, validate and test on.
        ood_domains: To measure on besides; None takes all the other folders.
        validation_fraction: See `FileBenchmark`.
        test_fraction: Share of the images to test on where there is no test folder, in (0, 1).
        image_size: See `FileBenchmark`.
        crop_fraction: See `FileBenchmark`.
        cache: See `FileBenchmark`.
        cache_dir: See `FileBenchmark`.
        skip: See `FileBenchmark`.
        batch_size: See `BenchmarkDataModule`.
        eval_batch_size: See `BenchmarkDataModule`.
        num_workers: See `BenchmarkDataModule`.
        train_limit: See `BenchmarkDataModule`.
        augmentation: See `BenchmarkDataModule`.
        seed: See `BenchmarkDataModule`.

    Raises:
        ConfigurationError: If a size or fraction is out of range, or there is no such domain.
        DataError: If a folder is missing, empty or holds a class that is not trained, or, while
            loading, if an image cannot be read.
    """

    def __init__(
        self,
        root: str,
        *,
        domains: list[str],
        ood_domains: list[str] | None = None,
        validation_fraction: float = 0.1,
        test_fraction: float = 0.2,
        image_size: int | None = None,
        crop_fraction: float | None = None,
        cache: Cache = "none",
        cache_dir: str | None = None,
        skip: str | None = None,
        batch_size: int = 128,
        eval_batch_size: int = 256,
        num_workers: int = 2,
        train_limit: int | None = None,
        augmentation: Augmentation = "none",
        seed: int = 0,
    ) -> None:
        super().__init__(
            root,
            validation_fraction=validation_fraction,
            image_size=image_size,
            crop_fraction=crop_fraction,
            cache=cache,
            cache_dir=cache_dir,
            skip=skip,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            train_limit=train_limit,
            augmentation=augmentation,
            seed=seed,
        )
        if not 0 < test_fraction < 1:
            message = f"data.test_fraction is {test_fraction}, expected in (0, 1)"
            raise ConfigurationError(message)
        require_apart(domains, ood_domains or [])
        self.test_fraction = test_fraction
        self.domains = domains
        if ood_domains is not None:
            self.ood_domains = ood_domains
        self._read: dict[str, dict[Split, Listing]] = {}

    @cached_property
    def ood_domains(self) -> Sequence[str]:
        """The folders that are not trained on, unless some were named."""
        return [name for name in self.all_domains(self._place) if name not in self.domains]

    @classmethod
    def all_domains(cls, root: Path) -> list[str]:
        """The folders below the root."""
        if not root.is_dir():
            message = f"data.root is {str(root)!r}, which is no folder; expected folders {LAYOUTS}"
            raise DataError(message)
        return subfolders(root)

    @property
    def benchmark(self) -> str:
        """The folder's name and the domains trained on."""
        return f"{self._place.name}-{'+'.join(sorted(self.domains))}"

    @cached_property
    def official_classes(self) -> tuple[str, ...]:
        """Names of the class folders of the domains trained on, sorted."""
        folders = [self.home / domain for domain in self.domains]
        names = sorted({name for folder in folders for name in trained_classes(folder)})
        if len(names) < 2:
            message = (
                f"{' and '.join(map(str, folders))}: {len(names)} class folders to train on, "
                f"expected at least two; the layout is {LAYOUTS}"
            )
            raise DataError(message)
        return tuple(names)

    def remote_files(self) -> tuple[RemoteFile, ...]:
        """Nothing: the images are one's own."""
        return ()

    def find(self, root: Path) -> Path:
        """The root.

        Raises:
            ConfigurationError: If it does not hold a domain that is named.
        """
        known = self.all_domains(root)
        for name in (*self.domains, *self.ood_domains):
            if name not in known:
                message = (
                    f"there is no folder {name!r} in {root}; expected in data.domains and "
                    f"data.ood_domains some of {', '.join(known) or 'its folders: it has none'}"
                )
                raise ConfigurationError(message)
        return root

    def listings(self) -> dict[str, Listing]:
        """List the domains trained on, one by one and together.

        Raises:
            DataError: If a split of a domain is empty, or a class has no image to train on.
        """
        lists: dict[str, Listing] = {}
        for split in SPLITS:
            parts = {f"{d}_{split}": self._listed(d, split) for d in sorted(self.domains)}
            lists |= {**parts, split: Listing.join(list(parts.values()))}
        trained = set(lists["train"].labels.tolist())
        empty = [name for k, name in enumerate(self.official_classes) if k not in trained]
        if empty:
            message = (
                f"{' and '.join(self.domains)} in {self.home}: no images of {some_of(empty)} to "
                "train on; add some, remove the class's folders, or hold fewer out "
                "(data.test_fraction, data.validation_fraction)"
            )
            raise DataError(message)
        return lists

    def listing_of(self, domain: str, split: Split) -> Listing:
        """The images of a domain in one split."""
        return self.present(self._listed(domain, split))

    @property
    def _place(self) -> Path:
        return Path(self.root).expanduser().resolve()

    def _listed(self, domain: str, split: Split) -> Listing:
        """One split of a domain, those to skip among them."""
        if domain not in self._read:
            self._require_alike(domain)
            fractions = self.test_fraction, self.validation_fraction
            self._read[domain] = read_domain(self.home, domain, self.official_classes, *fractions)
        listing = self._read[domain].get(split)
        if not listing:
            message = f"{self.home / domain} holds no images for {split}; expected {LAYOUTS}"
            raise DataError(message)
        return listing

    def _require_alike(self, domain: str) -> None:
        first = self.domains[0]
        cut = is_cut(self.home / domain)
        if cut != is_cut(self.home / first):
            one, other = (domain, first) if cut else (first, domain)
            message = (
                f"{self.home}: {one} has folders for its splits and {other} has none; expected "
                f"{LAYOUTS}, the same for all domains"
            )
            raise DataError(message)
