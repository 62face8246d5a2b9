"""What benchmarks with the same classes in several domains have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from robust_tuning.data.file_benchmark import FileBenchmark
from robust_tuning.data.listing import Listing
from robust_tuning.data.views import CentreCrop
from robust_tuning.errors import ConfigurationError
from robust_tuning.types import Batch, Split


class DomainBenchmark(FileBenchmark, ABC):
    """Trained on one domain or several, with others to measure how accuracy carries over.

    A subclass keeps its arguments `domains` and `ood_domains`, says which domains there are, and
    which images of a domain make which split.
    """

    domains: Sequence[str]

    @classmethod
    @abstractmethod
    def all_domains(cls, root: Path) -> list[str]:
        """Names of the domains that there are, sorted.

        Args:
            root: The folder that holds them, or is to.

        Raises:
            DataError: If the folder would tell, and is not there.
        """

    @abstractmethod
    def listing_of(self, domain: str, split: Split) -> Listing:
        """The images of a domain in use, trained on or not, in one split.

        Raises:
            DataError: If something of it is missing.
        """

    def domain_listing(self, domain: str, split: Split = "test") -> Listing:
        """The images of a domain in one split, every one of them there.

        Raises:
            ConfigurationError: If the benchmark was set up without the domain.
            DataError: If something of it is missing.
        """
        if domain not in (*self.domains, *self.ood_domains):
            known = ", ".join((*self.domains, *self.ood_domains))
            message = f"domain {domain!r} is not among those of this benchmark: {known}"
            raise ConfigurationError(message)
        return self.listing_of(domain, split)

    def domain_labels(self, domain: str, split: Split) -> NDArray[np.int64]:
        """See `BenchmarkDataModule.domain_labels`."""
        return self.domain_listing(domain, split).labels

    def domain_examples(self, domain: str, split: Split, n: int | None = None) -> Dataset[Batch]:
        """See `BenchmarkDataModule.domain_examples`."""
        listing = self.domain_listing(domain, split)
        examples = self.examples(listing, CentreCrop(self.shown_input))
        return self.choose(examples, listing.files, n, f"{split} split of {domain}")


def require_apart(domains: Sequence[str], ood_domains: Sequence[str]) -> None:
    """Refuse domains that cannot be trained on and measured on besides.

    Raises:
        ConfigurationError: If there is none to train on, one comes twice, or is on either side.
    """
    both = [*domains, *ood_domains]
    if not domains or len(set(both)) < len(both):
        message = (
            f"data.domains is {list(domains)} and data.ood_domains {list(ood_domains)}; expected "
            "at least one domain to train on, each once, and none of them out of distribution"
        )
        raise ConfigurationError(message)
