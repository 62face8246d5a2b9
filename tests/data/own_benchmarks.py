"""Benchmarks as someone else would add them: the official ones with other published files."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from robust_tuning.data import CIFAR10, CUB200
from robust_tuning.data.remote import RemoteFile


class TinyCIFAR10(CIFAR10):
    """CIFAR-10 with 200 and 40 images, and checksums of its own."""

    official: ClassVar = {"train": 200, "test": 40}

    @classmethod
    def publish(cls, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the files of a folder for the published ones."""
        checksums = [
            {
                name: hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest()
                for name in half
            }
            for half in (cls.files.train, cls.files.test)
        ]
        files = replace(cls.files, train=checksums[0], test=checksums[1])
        monkeypatch.setattr(cls, "files", files)


class FewBirds(CUB200):
    """CUB-200-2011 with 60 and 12 images, published wherever a test says."""

    official: ClassVar = {"train": 60, "test": 12}
    archive: ClassVar[RemoteFile] = RemoteFile("birds.tgz", "http://127.0.0.1:9/none", 1, 32 * "0")

    def remote_files(self) -> tuple[RemoteFile, ...]:
        return (self.archive,)
