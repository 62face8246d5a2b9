import gzip
import io
import os
import re
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from contextlib import chdir, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust_tuning.data.archives import unpack
from robust_tuning.errors import DataError
from tests.data.packing import KINDS, found, packed

FILES = {
    "a/b/c.txt": b"deep" * 1000,
    "a/empty": b"",
    "top.bin": bytes(range(256)) * 20,
    "a/Käfer 漢.jpg": b"named",
    "x" * 140 + "/" + "y" * 140: b"long",
}


def unpacked(content: bytes, folder: Path, *, limit: int = 1 << 24, entries: int = 1000) -> Path:
    archive, into = folder / "archive", folder / "into"
    archive.write_bytes(content)
    unpack(archive, into, max_bytes=limit, max_entries=entries)
    return into


def refused(content: bytes, folder: Path, reason: str, *, limit: int = 1 << 24) -> None:
    pattern = f"{re.escape(str(folder / 'archive'))} {reason}.*; delete it and prepare again"
    with pytest.raises(DataError, match=pattern):
        unpacked(content, folder, limit=limit)


def written(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def tar_of(*entries: tarfile.TarInfo, body: bytes = b"") -> bytes:
    """Headers one after the other, each with the same body; sizes as they claim."""
    padding = bytes(-len(body) % 512)
    headers = (entry.tobuf(tarfile.GNU_FORMAT) for entry in entries)
    return b"".join(header + body + padding for header in headers) + bytes(1024)


def entry(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, "target"
    return info


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_packed_comes_out(kind: str, tmp_path: Path) -> None:
    into = unpacked(packed(kind, FILES | {"a/nothing/": b"", "./": b""}), tmp_path)
    assert found(into) == FILES
    assert (into / "a" / "nothing").is_dir()


def test_the_name_of_the_archive_says_nothing(tmp_path: Path) -> None:
    for kind in KINDS:
        archive = tmp_path / f"{kind}.dat"
        archive.write_bytes(packed(kind, {"one": b"1"}))
        unpack(archive, tmp_path / kind, max_bytes=10, max_entries=1)
        assert found(tmp_path / kind) == {"one": b"1"}


def test_a_tar_that_holds_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = packed("zip", {"inner": b"x"})
    assert found(unpacked(packed("tar", {"z.zip": inner}), tmp_path)) == {"z.zip": inner}


def test_permissions_and_owners_in_the_archive_are_ignored(tmp_path: Path) -> None:
    info = entry("program")
    info.mode, info.uid, info.gid = 0o6777, 12345, 12345
    folder = entry("folder", tarfile.DIRTYPE)
    folder.mode = 0
    before = os.umask(0o027)
    try:
        into = unpacked(tar_of(folder, info), tmp_path)
    finally:
        os.umask(before)
    state = (into / "program").stat()
    assert stat.S_IMODE(state.st_mode) == 0o640
    assert stat.S_IMODE((into / "folder").stat().st_mode) == 0o750
    assert (state.st_uid, state.st_gid) == (os.getuid(), os.getgid())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/x",
        "//x",
        "a/..",
        "..",
        "C:x",
        "C:/x",
        "a/C:/x",
        "\\x",
        "a\\..\\x",
        ".",
    ],
)
def test_names_that_point_elsewhere_are_refused(kind: str, name: str, tmp_path: Path) -> None:
    refused(packed(kind, {"good": b"1", name: b"2"}), tmp_path, "holds .*, which is no name")
    assert found(tmp_path / "into") == {"good": b"1"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "into"]


def test_a_name_with_a_null_is_refused(tmp_path: Path) -> None:
    """Which only the long headers can hold, with a length in front."""
    info = entry("placeholder")
    info.pax_headers = {"path": "a\0b"}
    refused(info.tobuf(tarfile.PAX_FORMAT) + bytes(1024), tmp_path, "holds .*, which is no name")


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"],
)
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    refused(tar_of(entry("odd", kind)), tmp_path, "holds 'odd', neither file nor folder")
    assert list((tmp_path / "into").iterdir()) == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_in_a_zip_are_refused(kind: int, tmp_path: Path) -> None:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as zipped:
        info = zipfile.ZipInfo("odd")
        info.external_attr = (kind | 0o777) << 16
        zipped.writestr(info, "/etc/hostname")
    refused(memory.getvalue(), tmp_path, "holds 'odd', neither file nor folder")
    assert list((tmp_path / "into").iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "files",
    [
        {"a": b"1", "a/": b""},
        {"a/": b"", "a": b"1"},
        {"a": b"1", "a/b": b"2"},
        {"a": b"1", "a/b/c": b"2"},
        {"a/b/c": b"", "a/b": b""},
    ],
)
def test_a_name_is_not_both_file_and_folder(
    kind: str, files: dict[str, bytes], tmp_path: Path
) -> None:
    if kind == "tgz":
        files = {f"deeper/{name}": content for name, content in files.items()}
    refused(packed(kind, files), tmp_path, "holds '.*' as a file and as a folder")


@pytest.mark.parametrize("kind", KINDS)
def test_members_are_counted(kind: str, tmp_path: Path) -> None:
    content = packed(kind, {f"{number}/": b"" for number in range(10)})
    unpacked(content, tmp_path, entries=10)
    with pytest.raises(DataError, match="holds more than 9 members; delete it"):
        unpacked(content, tmp_path, entries=9)


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_are_counted_over_all_members(kind: str, tmp_path: Path) -> None:
    content = packed(kind, {str(number): b"12345" for number in range(10)})
    assert written(unpacked(content, tmp_path, limit=50)) == 50
    refused(content, tmp_path, "holds more than 49 bytes", limit=49)


BOMB = bytes(64 << 20)


@pytest.mark.parametrize("kind", ["tgz", "zip"])
def test_a_bomb_is_stopped_while_it_goes_off(kind: str, tmp_path: Path) -> None:
    content = packed(kind, {"one": b"1", "bomb": BOMB})
    assert len(content) < 100_000
    refused(content, tmp_path, "holds more than 3,000,000 bytes", limit=3_000_000)
    assert 1 <= written(tmp_path / "into") <= 3_000_000


def test_a_zip_that_lies_about_sizes_is_found_out(tmp_path: Path) -> None:
    content = packed("zip", {"bomb": BOMB})
    size = struct.pack("<I", len(BOMB))
    assert content.count(size) == 2  # before the member, and in the directory
    refused(content.replace(size, struct.pack("<I", 10)), tmp_path, "is incomplete or damaged")
    assert written(tmp_path / "into") <= 10


def test_a_tar_that_lies_about_sizes_is_found_out(tmp_path: Path) -> None:
    body = bytes(range(256)) * 4
    too_long, too_short = entry("a", size=10**12), entry("a", size=512)
    refused(tar_of(too_long, body=body), tmp_path, "is incomplete or damaged")
    refused(tar_of(too_short, body=body), tmp_path, "is incomplete or damaged")
    assert written(tmp_path / "into") <= 2048


def test_a_tar_with_holes_is_counted_as_it_unfolds(tmp_path: Path) -> None:
    """GNU's sparse files: 512 bytes of header that stand for a terabyte of zeros."""
    header = bytearray(entry("hole", tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT))
    header[386:482] = bytes(96)
    header[386:410] = b"%011o\0%011o\0" % (1 << 30, 0)
    header[483:495] = b"%011o\0" % (1 << 32)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    refused(bytes(header) + bytes(1024), tmp_path, "holds more than 5,000,000", limit=5_000_000)
    assert written(tmp_path / "into") <= 5_000_000


def test_a_long_header_does_not_fill_the_memory(tmp_path: Path) -> None:
    for kind in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
        content = gzip.compress(tar_of(entry("header", kind, size=len(BOMB)), body=BOMB), 1)
        tracemalloc.start()
        refused(content, tmp_path, "is incomplete or damaged")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < len(BOMB) / 4


def test_an_endless_chain_of_headers_is_damage(tmp_path: Path) -> None:
    chain = tar_of(*[entry("header", tarfile.XHDTYPE)] * 20_000)
    refused(chain, tmp_path, "is incomplete or damaged")


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    content = packed("zip", {"secret": b"1" * 50})
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.index(magic) + place
        content = content[:at] + b"\x01" + content[at + 1 :]
    refused(content, tmp_path, "holds 'secret', which is encrypted")


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"PK", b"\x1f\x8b", b"PK\x03\x04", os.urandom(5000)]
)
def test_what_is_no_archive_is_named(content: bytes, tmp_path: Path) -> None:
    refused(content, tmp_path, "is incomplete or damaged")


def test_an_archive_that_is_not_there_is_no_damage(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"unpacking .*nothing failed .*No such file"):
        unpack(tmp_path / "nothing", tmp_path / "into", max_bytes=1, max_entries=1)


SMALL = {"a/one": b"first" * 300, "a/two": os.urandom(700), "three": b""}
PACKED = {kind: packed(kind, SMALL) for kind in KINDS}


def outcome(content: bytes) -> dict[str, bytes] | None:
    """The files that come out, None where the archive is refused."""
    with TemporaryDirectory() as name:
        try:
            return found(unpacked(content, Path(name), limit=10_000, entries=10))
        except DataError:
            return None


@given(kind=st.sampled_from(KINDS), share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=200, deadline=None)
def test_half_an_archive_is_never_taken_for_a_whole(kind: str, share: float) -> None:
    content = PACKED[kind]
    size = int(share * len(content))
    last = content.rindex(SMALL["a/two"]) + len(SMALL["a/two"]) if kind == "tar" else 0
    # behind the header of the empty file and the block of zeros after it, a tar is padding
    whole = kind == "tar" and size >= -(-last // 512) * 512 + 1024
    assert outcome(content[:size]) == (SMALL if whole else None)


@given(kind=st.sampled_from(["tgz", "zip"]), place=st.integers(0, 10**6), bit=st.integers(0, 7))
@settings(max_examples=300, deadline=None)
def test_a_flipped_bit_changes_no_file(kind: str, place: int, bit: int) -> None:
    content = bytearray(PACKED[kind])
    content[place % len(content)] ^= 1 << bit
    files = outcome(bytes(content))
    if kind == "tgz":
        assert files in (None, SMALL)
    else:  # a zip has no checksum over its directory: files can go missing, but not change
        assert files is None or files.items() <= SMALL.items()


def test_a_wrong_checksum_is_found(tmp_path: Path) -> None:
    content = bytearray(PACKED["tgz"])
    content[-8] ^= 1
    refused(bytes(content), tmp_path, "is incomplete or damaged .*CRC")
    content = bytearray(PACKED["zip"])
    content[content.index(b"PK\x01\x02") + 16] ^= 1
    refused(bytes(content), tmp_path, "is incomplete or damaged .*CRC")


PIECES = st.sampled_from(["..", ".", "", "a", "into", "evil", "C:", "\\", "..\\", "\0", "~", " "])
NAMES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    st.lists(PIECES, min_size=1, max_size=6).map("/".join).filter(bool),
    st.just("ABSOLUTE/evil"),
)


@given(kind=st.sampled_from(KINDS), names=st.lists(NAMES, min_size=1, max_size=3, unique=True))
@settings(max_examples=300, deadline=None)
def test_no_name_writes_outside_the_folder(kind: str, names: list[str]) -> None:
    with TemporaryDirectory() as outer:
        folder = Path(outer) / "deep" / "er"
        folder.mkdir(parents=True)
        files = {name.replace("ABSOLUTE", str(folder)): b"evil" for name in names}
        content = packed(kind, files)
        with chdir(folder), suppress(DataError):
            unpacked(content, folder)
        outside = [
            path.relative_to(outer).as_posix()
            for path in Path(outer).rglob("*")
            if folder / "into" not in (path, *path.parents)
        ]
        assert sorted(outside) == ["deep", "deep/er", "deep/er/archive"]
        assert not any(path.is_symlink() for path in folder.rglob("*"))
