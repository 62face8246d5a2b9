"""DomainNet: one set of classes in six domains."""

from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, cast

import numpy as np

from robust_tuning.data.augmentation import Augmentation
from robust_tuning.data.cache import Cache
from robust_tuning.data.class_lists import read_classes
from robust_tuning.data.domain_benchmark import DomainBenchmark, require_apart
from robust_tuning.data.hub import HubSource
from robust_tuning.data.listing import Listing, held_out_of
from robust_tuning.data.remote import RemoteFile
from robust_tuning.data.tables import labels_within, read_pairs
from robust_tuning.errors import ConfigurationError
from robust_tuning.types import Split

Domain = Literal["clipart", "infograph", "painting", "quickdraw", "real", "sketch"]

_BASE = "http://csr.bu.edu/ftp/visda/2019/multi-source"
_HALVES = ("train", "test")
# Room for the lines of any list, so that an example keeps its index whichever domains are in use.
_DOMAIN_STRIDE, _TEST_OFFSET = 1_000_000, 500_000


class _Published(NamedTuple):
    """A domain: its archive, and its lists as (images, bytes, MD5)."""

    path: str
    size: int
    md5: str
    train: tuple[int, int, str]
    test: tuple[int, int, str]


# In the order of the hub's domain numbers. Of clipart and painting the challenge had other files.
_DOMAINS: dict[str, _Published] = {
    "clipart": _Published(
        "groundtruth/clipart.zip",
        1_270_909_081,
        "cd0d8f2d77a4e181449b78ed62bccf1e",
        (33_525, 1_443_819, "b4349693a7f9c05c53955725c47ed6cb"),
        (14_604, 628_917, "f5ddbcfd657a3acf9d0f7da10db22565"),
    ),
    "infograph": _Published(
        "infograph.zip",
        4_338_659_804,
        "720380b86f9e6ab4805bb38b6bd135f8",
        (36_023, 1_683_098, "379b50054f4ac2018dca4f89421b92d9"),
        (15_582, 728_028, "779626b50869edffe8ea6941c3755c71"),
    ),
    "painting": _Published(
        "groundtruth/painting.zip",
        3_679_366_174,
        "1ae32cdb4f98fe7ab5eb0a351768abfd",
        (50_416, 2_241_901, "7db0e7ca73ad9982f6e1f7f3ef372c0a"),
        (21_850, 971_888, "232b35dc53f26d414686ae579e38d9b5"),
    ),
    "quickdraw": _Published(
        "quickdraw.zip",
        459_920_701,
        "bdc1b6f09f277da1a263389efe0c7a66",
        (120_750, 5_164_600, "b732ced3939ac8efdd8c0a889dca56cc"),
        (51_750, 2_213_400, "c1a828fdfe216fb109f1c0083a252c6f"),
    ),
    "real": _Published(
        "real.zip",
        6_062_039_589,
        "dcc47055e8935767784b7162e7c7cca6",
        (120_906, 4_440_944, "8ebf02c2075fadd564705f0dc7cd6291"),
        (52_041, 1_911_327, "6098816791c3ebed543c71ffa11b9054"),
    ),
    "sketch": _Published(
        "sketch.zip",
        2_633_992_926,
        "658d8009644040ff7ce30bb2e820850f",
        (48_212, 1_960_222, "1233bd18aa9a8a200bf4cecf1c34ef3e"),
        (20_916, 850_581, "d8a222e4672cfd585298aa14d02ea441"),
    ),
}


class DomainNet(DomainBenchmark):
    """DomainNet, cleaned: 586,575 images of 345 classes in six domains, split officially.

    Trained on one domain or several, with the others to measure how accuracy carries over. `root`
    holds `DOMAIN/` or `DOMAIN.zip`, and the lists `DOMAIN_train.txt` and `DOMAIN_test.txt` (there
    or in `txt/`). Labels are those of the lists. Images that no list names, of which the archives
    hold some, are left alone. A class may lack examples in a domain.

    An example's index is its line in its list, plus 1,000,000 for each domain before its own in
    alphabetical order, plus 500,000 in the test list.

    Source: X. Peng et al., "Moment Matching for Multi-Source Domain Adaptation", ICCV 2019. The
    study's variant on the hub has the same split.

    Args:
        root: See `FileBenchmark`.
        domains: To train, validate and test on.
        ood_domains: To measure on besides; None takes all the others.
        source: See `FileBenchmark`.
        download: See `FileBenchmark`.
        validation_fraction: See `FileBenchmark`.
        image_size: See `FileBenchmark`.
        crop_fraction: See `FileBenchmark`.
        cache: See `FileBenchmark`.
        cache_dir: See `FileBenchmark`.
        skip: See `FileBenchmark`.
        expected: Images per list where one's own version differs, such as `{real_train: 280}`.
        batch_size: See `BenchmarkDataModule`.
        eval_batch_size: See `BenchmarkDataModule`.
        num_workers: See `BenchmarkDataModule`.
        train_limit: See `BenchmarkDataModule`.
        augmentation: See `BenchmarkDataModule`.
        seed: See `BenchmarkDataModule`.
    """

    hub: ClassVar[HubSource | None] = HubSource("wltjr1007/DomainNet", domain="domain")

    def __init__(
        self,
        root: str,
        *,
        domains: list[Domain] = ["real"],  # noqa: B006  never changed; shown as the default
        ood_domains: list[Domain] | None = None,
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
            root,
            source=source,
            download=download,
            validation_fraction=validation_fraction,
            image_size=image_size,
            crop_fraction=crop_fraction,
            cache=cache,
            cache_dir=cache_dir,
            skip=skip,
            expected=expected,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            train_limit=train_limit,
            augmentation=augmentation,
            seed=seed,
        )
        others = [name for name in _DOMAINS if name not in domains]
        self.domains = domains
        self.ood_domains = others if ood_domains is None else ood_domains
        for name in (*self.domains, *self.ood_domains):
            if name not in _DOMAINS:
                message = f"data.domains: there is no {name!r}, expected of {', '.join(_DOMAINS)}"
                raise ConfigurationError(message)
        _refuse_unknown_lists(expected or {})
        require_apart(self.domains, self.ood_domains)

    @property
    def benchmark(self) -> str:
        """The class's name and the domains trained on."""
        return f"{super().benchmark}-{'+'.join(sorted(self.domains))}"

    @cached_property
    def official_classes(self) -> tuple[str, ...]:
        """Names in the order of the official labels, which is not that of sorted names."""
        return read_classes("domainnet")

    @property
    def expected_sizes(self) -> dict[str, int]:
        """Images per list of the domains trained on."""
        if self.expected is not None:
            return {n: k for n, k in self.expected.items() if n.partition("_")[0] in self.domains}
        return {f"{d}_{half}": _images(d, half) for d in self.domains for half in _HALVES}

    @property
    def split_sizes(self) -> dict[Split, int]:
        """Examples of each split, known before any file is read."""
        sizes = self.expected_sizes
        train, test = (
            sum(n for name, n in sizes.items() if name.endswith(half)) for half in _HALVES
        )
        held_out = held_out_of(train, self.validation_fraction)
        return {"train": train - held_out, "validation": held_out, "test": test}

    @classmethod
    def all_domains(cls, root: Path) -> list[str]:  # noqa: ARG003  they are known
        """The six."""
        return list(_DOMAINS)

    def remote_files(self) -> tuple[RemoteFile, ...]:
        """Images and lists of the domains trained on."""
        return tuple(file for domain in self.domains for file in self._files_of(domain))

    def find(self, root: Path) -> Path | None:
        """The root, once images and lists of the domains trained on are there."""
        return root if all(self._is_there(root, domain) for domain in self.domains) else None

    def listings(self) -> dict[str, Listing]:
        """The lists of the domains trained on, one by one and together."""
        lists = {f"{d}_{half}": self._read(d, half) for d in self.domains for half in _HALVES}
        for half in _HALVES:
            lists[half] = Listing.join([lists[f"{domain}_{half}"] for domain in self.domains])
        return lists

    def listing_of(self, domain: str, split: Split) -> Listing:
        """The images of a domain in one split.

        The test split is the domain's test list. Of its training list, as much is held out for
        validation as of the domains trained on; nothing of a domain not trained on is.
        """
        if domain not in self.domains:
            alone = self.alone(domain)
            if split == "test":  # without asking for the training images
                return alone.present(alone.complete_listings[f"{domain}_test"])
            return alone.split_listings[split]
        half = "test" if split == "test" else "train"
        own = self.complete_listings[f"{domain}_{half}"].indices
        together = self.split_listings[split]
        return together.take(np.flatnonzero(np.isin(together.indices, own)))

    @cached_property
    def complete_listings(self) -> dict[str, Listing]:
        """The lists of the domains trained on; from the hub, its rows of those domains."""
        if self.hub is None or self.source == "local":
            return super().complete_listings
        lists = {}
        for half, listing in self.hub.listings(self.num_classes).items():
            numbers = self.hub.column(half, cast("str", self.hub.domain))
            for domain in self.domains:
                rows = np.flatnonzero(numbers == list(_DOMAINS).index(domain))
                lists[f"{domain}_{half}"] = listing.take(rows)
            lists[half] = Listing.join([lists[f"{domain}_{half}"] for domain in self.domains])
        return lists

    def alone(self, domain: str) -> "DomainNet":
        """The same benchmark trained on one of the other domains."""
        expected = self.expected
        if expected is not None and f"{domain}_test" not in expected:
            expected = {f"{domain}_{half}": _images(domain, half) for half in _HALVES}
        return type(self)(
            self.root,
            domains=[cast("Domain", domain)],
            source=self.source,
            download=self.download,
            validation_fraction=self.validation_fraction,
            skip=self.skip,
            expected=expected,
        )

    def _read(self, domain: str, half: str) -> Listing:
        path = _list_path(self.home, domain, half)
        pairs = read_pairs(path)
        offset = list(_DOMAINS).index(domain) * _DOMAIN_STRIDE
        offset += _TEST_OFFSET if half == "test" else 0
        return Listing(
            tuple(file for file, _ in pairs),
            labels_within([label for _, label in pairs], self.num_classes, path),
            np.arange(len(pairs), dtype=np.int64) + offset,
        )

    def _files_of(self, domain: str) -> list[RemoteFile]:
        """What is published of a domain, the lists where they lie or belong."""
        root = Path(self.root).expanduser().resolve()
        published = _DOMAINS[domain]
        files = [
            RemoteFile(
                name=f"{domain}.zip",
                url=f"{_BASE}/{published.path}",
                size=published.size,
                md5=published.md5,
                unpacks=(domain,),
                max_entries=400_000,
            )
        ]
        for half in _HALVES:
            _, size, md5 = getattr(published, half)
            path = _list_path(root, domain, half)
            url = f"{_BASE}/domainnet/txt/{path.name}"
            name = path.relative_to(root).as_posix()
            files.append(RemoteFile(name=name, url=url, size=size, md5=md5))
        return files

    @staticmethod
    def _is_there(root: Path, domain: str) -> bool:
        lists = (_list_path(root, domain, half) for half in _HALVES)
        return (root / domain).is_dir() and all(path.is_file() for path in lists)


def _refuse_unknown_lists(expected: dict[str, int]) -> None:
    known = {f"{domain}_{half}" for domain in _DOMAINS for half in _HALVES}
    for name in expected:
        if name not in known:
            message = f"data.expected names a list {name!r}, expected names such as 'real_train'"
            raise ConfigurationError(message)


def _images(domain: str, half: str) -> int:
    count: int = getattr(_DOMAINS[domain], half)[0]
    return count


def _list_path(root: Path, domain: str, half: str) -> Path:
    name = f"{domain}_{half}.txt"
    beside = root / "txt" / name
    return beside if beside.is_file() else root / name
