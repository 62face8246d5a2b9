import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robust_tuning.data.external import CIFAR_10_1, CIFAR_10_C, CIFAR_100_C, STL_10, ExternalSet
from robust_tuning.data.remote import RemoteFile
from robust_tuning.errors import DataError
from tests.data.external.stored import described, lay_out_corruptions, noise, published
from tests.data.packing import packed
from tests.data.web import serving
from tests.layouts import pack

LABELS = np.tile(np.arange(10), 2)
NAMES = ["fog", "snow"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    lay_out_corruptions(tmp_path / "CIFAR-10-C", NAMES, noise(20), LABELS)
    return tmp_path


@pytest.fixture
def small(root: Path) -> ExternalSet:
    return published(CIFAR_10_C, root / "CIFAR-10-C", dict.fromkeys(NAMES, (10,) * 10))


def packed_up(root: Path, small: ExternalSet) -> ExternalSet:
    """The set with its archive in the root in place of its folder."""
    pack(root / "all.tar", root / "CIFAR-10-C")
    archive = described(root / "all.tar", unpacks=("CIFAR-10-C",))
    return replace(small, remote=(archive,))


def test_the_root_holds_the_folder_or_is_it(root: Path, small: ExternalSet) -> None:
    for place in (root, root / "CIFAR-10-C"):
        opened = small.open(str(place), NAMES)
        assert list(opened) == NAMES
        assert opened["fog"].pixels.shape == (100, 32, 32, 3)
        assert opened["fog"].labels.tolist() == LABELS.tolist() * 5
    assert not np.array_equal(opened["fog"].pixels, opened["snow"].pixels)


def test_the_archive_is_verified_and_unpacked(root: Path, small: ExternalSet) -> None:
    assert len(packed_up(root, small).open(str(root), NAMES)) == 2
    assert (root / "CIFAR-10-C" / "fog.npy").is_file()


def test_an_archive_is_downloaded_where_that_is_allowed(
    root: Path, small: ExternalSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    there = packed_up(root, small)
    with serving((root / "all.tar").read_bytes()) as site:
        url = f"{site.address}/all.tar?download=1"
        there = replace(there, remote=(replace(there.remote[0], url=url),))
        with pytest.raises(DataError, match="lacks 1 of 1 files"):
            there.open(str(tmp_path / "new"), NAMES)
        assert site.paths == []
        assert len(there.open(str(tmp_path / "new"), NAMES, download=True)) == 2
        assert site.paths == ["/all.tar?download=1"]


@pytest.mark.parametrize("external", [CIFAR_10_C, CIFAR_100_C, CIFAR_10_1, STL_10])
def test_what_is_missing_is_described(tmp_path: Path, external: ExternalSet) -> None:
    with pytest.raises(DataError) as error:
        external.open(str(tmp_path), external.usual)
    told = str(error.value)
    for file in external.published(external.usual):
        for fact in (file.name, file.url, f"{file.size:,}", file.md5 or file.sha256, str(tmp_path)):
            assert str(fact) in told
    assert "v4" not in told, "only what was asked for"


def test_a_copy_with_fewer_files_serves_those(root: Path, small: ExternalSet) -> None:
    (root / "CIFAR-10-C" / "snow.npy").unlink()
    assert list(small.open(str(root), ["fog"])) == ["fog"]
    for place in (root, root / "CIFAR-10-C"):
        with pytest.raises(DataError, match=r"CIFAR-10-C lacks snow\.npy; put the file there") as e:
            small.open(str(place), NAMES, download=True)
        assert CIFAR_10_C.remote[0].description in str(e.value)


def test_an_empty_folder_of_the_name_is_no_set(root: Path, small: ExternalSet) -> None:
    for file in (root / "CIFAR-10-C").iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"CIFAR-10-C lacks fog\.npy, labels\.npy, snow\.npy"):
        small.open(str(root), NAMES, download=True)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def relabel(path: Path) -> None:
    np.save(path.with_name("labels.npy"), np.zeros(100, dtype=np.uint8))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (flip, r"fog\.npy has the sha256 .*, expected .*prepare CIFAR10C again"),
        (cut, r"fog\.npy is incomplete or damaged"),
        (relabel, r"labels\.npy: 'airplane' has 100 images, expected 10; 'automobile' has 0 .*;"),
    ],
)
def test_files_that_are_not_the_published_ones_are_refused(
    root: Path, small: ExternalSet, damage: Callable[[Path], None], said: str
) -> None:
    small.open(str(root), NAMES)
    damage(root / "CIFAR-10-C" / "fog.npy")
    with pytest.raises(DataError, match=said) as error:
        small.open(str(root), NAMES)
    assert "say in `expected`" in str(error.value)


def test_ones_own_version_has_other_checksums_and_counts_and_the_same_form(root: Path) -> None:
    opened = CIFAR_10_C.open(str(root), NAMES, expected=100)
    assert len(opened["snow"].labels) == 100
    with pytest.raises(DataError, match=r"\(100, 32, 32, 3\), expected uint8 \(50000, 32, 32, 3\)"):
        CIFAR_10_C.open(str(root), NAMES)
    with pytest.raises(DataError, match=r"expected uint8 \(99, 32, 32, 3\)"):
        CIFAR_10_C.open(str(root), NAMES, expected=99)


@pytest.mark.parametrize(
    ("files", "limits", "said"),
    [
        ({"../evil": b"x"}, {}, "no name of a file below a folder"),
        ({"/evil": b"x"}, {}, "no name of a file below a folder"),
        ({f"CIFAR-10-C/{n}": b"" for n in range(200)}, {"max_entries": 100}, "more than 100"),
        ({"CIFAR-10-C/fog.npy": bytes(10_000)}, {"max_unpacked": 9_999}, "more than 9,999 bytes"),
        ({"CIFAR-100-C/fog.npy": b""}, {}, "holds CIFAR-100-C, expected CIFAR-10-C"),
    ],
)
def test_a_hostile_archive_leaves_nothing(
    tmp_path: Path, files: dict[str, bytes], limits: dict[str, int], said: str
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "all.tar").write_bytes(packed("tar", files))
    archive: RemoteFile = described(root / "all.tar", unpacks=("CIFAR-10-C",), **limits)
    with pytest.raises(DataError, match=said):
        replace(CIFAR_10_C, remote=(archive,)).open(str(root), ["fog"])
    left = {path.name for path in tmp_path.rglob("*")} - {".prepare.lock"}
    assert left == {"root", "all.tar"}


def test_an_archive_cut_off_is_refused(root: Path, small: ExternalSet) -> None:
    there = packed_up(root, small)
    cut(root / "all.tar")
    with pytest.raises(DataError, match=r"all\.tar holds .* bytes, expected"):
        there.open(str(root), NAMES)


def test_files_published_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made, root = tmp_path / "made", tmp_path / "root"
    made.mkdir()
    root.mkdir()
    pixels, labels = (made / name for name in CIFAR_10_1.parts["v6"].files)
    np.save(pixels, noise(20))
    np.save(labels, LABELS.astype(np.int32))
    shutil.copy(labels, root)
    with serving(pixels.read_bytes()) as site:
        small = replace(
            published(CIFAR_10_1, made, {"v6": (2,) * 10}),
            remote=(described(pixels, site.address), described(labels)),
        )
        with pytest.raises(DataError, match=r"lacks 1 of 2 files:\n  cifar10\.1_v6_data\.npy"):
            small.open(str(root), ["v6"])
        assert len(small.open(str(root), ["v6"], download=True)["v6"].labels) == 20
        assert site.paths == [f"/{pixels.name}"]
