"""What a benchmark's authors publish, described well enough to recognise it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RemoteFile:
    """A file that a benchmark's authors publish.

    Args:
        name: File name below the benchmark's root, without a folder.
        url: Where its authors offer it, http or https.
        size: Bytes.
        md5: Checksum, 32 hexadecimal digits in lower case; None where only the other is known.
        sha256: Checksum, 64 digits, preferred where it is known.
        unpacks: Top-level names in the archive, which stand below the root once it is unpacked;
            empty for a file that is used as it is.
        max_entries: An archive with more members than this is not this one.
        max_unpacked: Bytes that the archive may hold; None allows three times its size.

    Example:
        >>> lists = RemoteFile("lists.tar", "http://example.org/lists.tar", 1_000, 32 * "0")
        >>> lists.unpacked_limit
        3000
        >>> lists.by_hand(Path("dogs"))  # doctest: +ELLIPSIS
        'put lists.tar (1,000 bytes, md5 000...000) from http://example.org/lists.tar into dogs'
    """

    name: str
    url: str
    size: int
    md5: str | None
    sha256: str | None = None
    unpacks: tuple[str, ...] = ()
    max_entries: int = 1_000_000
    max_unpacked: int | None = None

    @property
    def unpacked_limit(self) -> int:
        """Bytes that the archive may hold."""
        return 3 * self.size if self.max_unpacked is None else self.max_unpacked

    @property
    def description(self) -> str:
        """Name, size, checksum and address, for messages."""
        checksum = f"sha256 {self.sha256}" if self.md5 is None else f"md5 {self.md5}"
        return f"{self.name} ({self.size:,} bytes, {checksum}) from {self.url}"

    def is_present(self, root: Path) -> bool:
        """Whether what the file brings stands below a root: names are looked at, nothing is read.

        Raises:
            OSError: If the root may not be searched.
        """
        return all((root / name).exists() for name in self.unpacks or (self.name,))

    def by_hand(self, folder: Path) -> str:
        """What someone can do where a program cannot: half a sentence for messages."""
        return f"put {self.description} into {folder}"
