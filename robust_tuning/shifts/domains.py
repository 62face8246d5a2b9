"""The domains of a benchmark that are not trained on."""

from collections.abc import Sequence

from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.errors import ConfigurationError
from robust_tuning.shifts.base import Shift, ShiftedSet
from robust_tuning.shifts.label_map import LabelMap
from robust_tuning.types import Split


class Domains(Shift):
    """Other domains with the benchmark's own classes, one set each: `domain-sketch`.

    Args:
        domains: Which; None takes every one of the benchmark's `ood_domains`.

    Raises:
        ConfigurationError: If none is named, or one twice.
    """

    def __init__(self, domains: list[str] | None = None) -> None:
        if domains is not None and (not domains or len(set(domains)) < len(domains)):
            message = (
                f"domains is {domains}, expected at least one domain, each once, or null for all "
                "that are not trained on"
            )
            raise ConfigurationError(message)
        self.domains = domains

    @property
    def name(self) -> str:
        """What precedes each domain's name."""
        return "domain"

    def label_map(self, source: BenchmarkDataModule) -> LabelMap:
        """The benchmark's own classes."""
        return LabelMap.identity(source.class_names)

    def sets(
        self, source: BenchmarkDataModule, split: Split, n: int | None
    ) -> Sequence[ShiftedSet]:
        """One for each domain; its findings name the classes without images in the split.

        Raises:
            ConfigurationError: If the benchmark has no such domain besides those trained on.
            DataError: If files are missing, or a domain holds fewer than `n` examples.
        """
        labels = self.label_map(source)
        return [
            ShiftedSet(
                f"{self.name}-{domain}",
                source.domain_examples(domain, split, n),
                labels,
                findings=labels.findings(source.domain_labels(domain, split)),
            )
            for domain in self._chosen(source)
        ]

    def _chosen(self, source: BenchmarkDataModule) -> Sequence[str]:
        there = source.ood_domains
        if not there:
            message = (
                f"{source.benchmark} has no domains besides those trained on; leave the shift "
                "Domains out, or train on some domains of DomainNet or DomainFolders "
                "(data.domains) with others to measure on (data.ood_domains)"
            )
            raise ConfigurationError(message)
        chosen = there if self.domains is None else self.domains
        for domain in chosen:
            if domain not in there:
                message = (
                    f"domains names {domain!r}, expected of those of {source.benchmark} that are "
                    f"not trained on: {', '.join(there)}"
                )
                raise ConfigurationError(message)
        return chosen
