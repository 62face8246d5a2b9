import numpy as np
import pytest

from robust_tuning.data.class_lists import read_classes
from robust_tuning.data.external import (
    CIFAR_10_1,
    CIFAR_10_C,
    CIFAR_100_C,
    EXTERNAL_SETS,
    STL_10,
    ExternalSet,
)
from robust_tuning.shifts.corruptions import EXTRA, STANDARD


@pytest.mark.parametrize("external", EXTERNAL_SETS, ids=lambda external: external.name)
def test_every_part_has_its_files_and_classes(external: ExternalSet) -> None:
    assert set(external.usual) <= set(external.parts)
    files = {file for part in external.parts.values() for file in part.files}
    assert files == set(external.checksums)
    assert {len(part.counts) for part in external.parts.values()} == {len(external.classes)}
    lengths = {"md5": 32, "sha256": 64}
    for algorithm, digits in external.checksums.values():
        assert len(digits) == lengths[algorithm]
    digits = [checksum.digits for checksum in external.checksums.values()]
    assert len(set(digits)) == len(digits)


@pytest.mark.parametrize("external", [CIFAR_10_C, CIFAR_100_C])
def test_the_corruptions_are_those_that_are_computed_too(external: ExternalSet) -> None:
    assert tuple(external.parts) == (*STANDARD, *EXTRA)
    assert external.usual == tuple(STANDARD)
    assert {sum(part.counts) for part in external.parts.values()} == {50_000}


def test_the_two_differ_in_every_file() -> None:
    pairs = zip(CIFAR_10_C.checksums.items(), CIFAR_100_C.checksums.items(), strict=True)
    for (name, ten), (same, hundred) in pairs:
        assert name == same
        assert ten != hundred
    assert CIFAR_10_C.classes == read_classes("cifar10")
    assert CIFAR_100_C.classes == read_classes("cifar100")


def tar_size(*files: int) -> int:
    """Bytes of a tar: a header of 512 per entry, content in blocks of 512, records of 10,240."""
    blocks = sum(1 + -(-size // 512) for size in files) + 1 + 2  # the folder, and the end
    return -(-blocks // 20) * 10_240


def test_the_form_of_the_files_explains_the_bytes_of_the_archives() -> None:
    pixels, labels = 128 + 50_000 * 32 * 32 * 3, 128 + 50_000
    for external in (CIFAR_10_C, CIFAR_100_C):
        # within the padding at a tar's end; labels of more than a byte would not be
        assert abs(tar_size(*[pixels] * 19, labels) - external.remote[0].size) <= 10_240


def test_the_form_of_the_files_explains_their_bytes() -> None:
    sizes = {file.name: file.size for file in CIFAR_10_1.remote}
    for part in CIFAR_10_1.parts.values():
        images = sum(part.counts)
        assert sizes[part.pixels] == 128 + images * 32 * 32 * 3
        assert sizes[part.labels] == 128 + images * np.dtype(np.int32).itemsize
    assert [sum(part.counts) for part in STL_10.parts.values()] == [8_000, 5_000]
