import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from robust_tuning.data import download
from robust_tuning.data.download import fetch, verify
from robust_tuning.data.remote import RemoteFile
from robust_tuning.errors import DataError
from tests.data.children import run
from tests.data.packing import remote
from tests.data.web import Site, serving

SIZE = 1_000_000
CONTENT = random.Random(0).randbytes(SIZE)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(CONTENT) as site:
        yield site


@pytest.fixture
def file(site: Site) -> RemoteFile:
    return remote("a.bin", CONTENT, site.address)


def part(folder: Path) -> Path:
    return folder / "a.bin.part"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_and_alone(site: Site, file: RemoteFile, tmp_path: Path) -> None:
    assert fetch(file, tmp_path) == tmp_path / "a.bin"
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert names(tmp_path) == ["a.bin"]
    assert site.ranges == [None]


def test_what_is_there_is_verified_and_not_downloaded(
    site: Site, file: RemoteFile, tmp_path: Path
) -> None:
    (tmp_path / "a.bin").write_bytes(CONTENT)
    assert fetch(file, tmp_path) == tmp_path / "a.bin"
    (tmp_path / "a.bin").write_bytes(CONTENT[::-1])
    with pytest.raises(DataError, match=r"has the md5 .* delete .*a\.bin and prepare again"):
        fetch(file, tmp_path)
    assert site.ranges == []


def test_only_the_rest_is_asked_for(site: Site, file: RemoteFile, tmp_path: Path) -> None:
    part(tmp_path).write_bytes(CONTENT[:700_001])
    fetch(file, tmp_path)
    assert site.ranges == ["bytes=700001-"]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_complete_part_needs_no_server(file: RemoteFile, tmp_path: Path) -> None:
    part(tmp_path).write_bytes(CONTENT)
    fetch(replace(file, url="http://127.0.0.1:9/a.bin"), tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_thrown_away(
    site: Site, file: RemoteFile, tmp_path: Path
) -> None:
    part(tmp_path).write_bytes(CONTENT + b"!")
    fetch(file, tmp_path)
    assert site.ranges == [None]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("length", [True, False])
def test_a_broken_connection_is_taken_up_again_where_it_broke(
    site: Site, file: RemoteFile, tmp_path: Path, length: bool
) -> None:
    site.length = length
    site.cuts = [300_000, 100_000, 5]
    fetch(file, tmp_path)
    assert site.ranges == [None, "bytes=300000-", "bytes=400000-", "bytes=400005-"]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_behind_the_first_byte_three_more_tries_are_made(
    site: Site, file: RemoteFile, tmp_path: Path
) -> None:
    site.cuts = [300_000]
    site.statuses = [0, 503, 429]
    fetch(file, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    (tmp_path / "a.bin").unlink()
    site.ranges.clear()
    site.cuts = [300_000]
    site.statuses = [0, 503, 503, 503]
    with pytest.raises(DataError, match=r"HTTP status 503 .* 300,000 bytes are here"):
        fetch(file, tmp_path)
    assert len(site.ranges) == 4
    assert part(tmp_path).read_bytes() == CONTENT[:300_000]


def test_a_server_that_ignores_ranges_sends_all(
    site: Site, file: RemoteFile, tmp_path: Path
) -> None:
    site.knows_ranges = False
    part(tmp_path).write_bytes(b"?" * 400_000)
    fetch(file, tmp_path)
    assert site.ranges == ["bytes=400000-"]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_and_breaks_gets_no_endless_tries(
    site: Site, file: RemoteFile, tmp_path: Path
) -> None:
    site.knows_ranges = False
    site.cuts = [300_000] * 100
    with pytest.raises(DataError, match="ended after 300,000 of 1,000,000 bytes"):
        fetch(file, tmp_path)
    assert len(site.ranges) == 4


@pytest.mark.parametrize("shift", [-1, 1])
def test_another_range_than_the_one_asked_for_is_not_appended(
    site: Site, file: RemoteFile, tmp_path: Path, shift: int
) -> None:
    site.shift = shift
    part(tmp_path).write_bytes(CONTENT[:500])
    with pytest.raises(DataError, match=f"from 500 on with 'bytes {500 + shift}-999999/1000000';"):
        fetch(file, tmp_path)
    assert part(tmp_path).read_bytes() == CONTENT[:500]


def test_no_such_range_means_to_start_over(site: Site, tmp_path: Path) -> None:
    """Of a shorter file behind the address; the next answer tells its length."""
    file = remote("a.bin", CONTENT + CONTENT, site.address)
    part(tmp_path).write_bytes(CONTENT + b"!")
    with pytest.raises(DataError, match="offers 1000000 bytes, expected 2,000,000"):
        fetch(file, tmp_path)
    assert site.ranges == ["bytes=1000001-", None]


@pytest.mark.parametrize("size", [10, SIZE + 1])
def test_an_answer_of_another_length_is_not_downloaded(
    site: Site, file: RemoteFile, tmp_path: Path, size: int
) -> None:
    site.content = (CONTENT + b"!")[:size]
    with pytest.raises(DataError, match=f"offers {size} bytes, expected 1,000,000: it was repl"):
        fetch(file, tmp_path)
    assert names(tmp_path) == []


def test_an_answer_that_never_ends_does(site: Site, file: RemoteFile, tmp_path: Path) -> None:
    site.content, site.length = CONTENT * 20, False
    with pytest.raises(DataError, match=r"holds 1,\d+,\d+ bytes, expected 1,000,000, and was rem"):
        fetch(file, tmp_path)
    assert names(tmp_path) == []


def test_a_part_of_another_file_is_found_out_and_removed(
    site: Site, file: RemoteFile, tmp_path: Path
) -> None:
    part(tmp_path).write_bytes(b"?" * 10)
    with pytest.raises(DataError) as caught:
        fetch(file, tmp_path)
    for fact in ("has the md5", f"expected {file.md5}", "was removed", "prepare again", file.url):
        assert fact in str(caught.value)
    assert names(tmp_path) == []
    fetch(file, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_sha256_is_preferred_where_it_is_known(file: RemoteFile, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(CONTENT)
    right = sha256(CONTENT).hexdigest()
    verify(replace(file, md5="0" * 32, sha256=right), path)
    with pytest.raises(DataError, match=f"has the sha256 {right}, expected 0000"):
        verify(replace(file, sha256="0" * 64), path)
    with pytest.raises(DataError, match="holds 1,000,000 bytes, expected 999,999; delete"):
        verify(replace(file, size=999_999), path)
    with pytest.raises(DataError, match=r"verifying .* failed"):
        verify(file, tmp_path / "nothing")


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_says_what_to_put_where_by_hand(
    site: Site, file: RemoteFile, tmp_path: Path, status: int
) -> None:
    site.statuses = [status]
    with pytest.raises(DataError) as caught:
        fetch(file, tmp_path)
    text = str(caught.value)
    assert f"HTTP status {status}" in text
    assert file.by_hand(tmp_path) in text
    assert "\n" not in text
    assert len(site.ranges) == 1


def test_a_refused_connection_is_an_error_at_once(file: RemoteFile, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/a.bin"
    file = replace(file, url=address)
    with pytest.raises(DataError, match=r"Connection refused.* prepare again to go on, or put"):
        fetch(file, tmp_path)


def test_an_unknown_host_is_an_error_at_once(
    file: RemoteFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def unknown(host: str, *rest: object) -> None:
        asked.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DataError, match="Name or service not known"):
        fetch(replace(file, url="https://nowhere.example/a.bin"), tmp_path)
    assert asked == ["nowhere.example"]


@pytest.mark.parametrize("moment", ["before the answer", "midway"])
def test_a_server_that_falls_silent_is_an_error_in_seconds(
    site: Site,
    file: RemoteFile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    assert 10 <= download._SILENCE <= 15
    monkeypatch.setattr(download, "_SILENCE", 0.05)
    over = threading.Event()
    site.midway = lambda: over.wait(30)
    if moment == "before the answer":
        site.content = b"?"  # whose first half is nothing
        site.length = False
    began = time.monotonic()
    try:
        with pytest.raises(DataError, match="timed out"):
            fetch(file, tmp_path)
    finally:
        over.set()
    assert time.monotonic() - began < 5
    if moment == "midway":  # each try brings half of the rest, and nothing that came is lost
        assert SIZE - 1000 < part(tmp_path).stat().st_size < SIZE


def test_an_interruption_keeps_the_part(site: Site, file: RemoteFile, tmp_path: Path) -> None:
    def interrupt() -> None:
        deadline = time.monotonic() + 10
        while not (part(tmp_path).exists() and part(tmp_path).stat().st_size > 0):
            if time.monotonic() > deadline:
                return
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)

    site.midway = interrupt
    with pytest.raises(KeyboardInterrupt):
        fetch(file, tmp_path)
    kept = part(tmp_path).stat().st_size
    assert 0 < kept <= SIZE // 2
    site.midway = lambda: None
    fetch(file, tmp_path)
    assert site.ranges == [None, f"bytes={kept}-"]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_proxies_of_the_environment_are_used(
    site: Site, file: RemoteFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", site.address)
    fetch(replace(file, url="http://nowhere.example/a.bin"), tmp_path)
    assert site.paths == ["http://nowhere.example/a.bin"]


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/a", "a.bin"])
def test_other_addresses_are_refused(file: RemoteFile, tmp_path: Path, url: str) -> None:
    with pytest.raises(DataError, match="is no http or https address"):
        fetch(replace(file, url=url), tmp_path)
    assert names(tmp_path) == []


def test_too_little_space_is_seen_before_anything_is_asked_for(
    site: Site, file: RemoteFile, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="takes at least 1,000,000,000,000,000,000 bytes and"):
        fetch(replace(file, size=10**18), tmp_path)
    assert site.ranges == []


def test_a_disk_that_fills_up_is_one_line_and_keeps_the_part(
    site: Site, file: RemoteFile, tmp_path: Path
) -> None:
    code = """
    from robust_tuning.data.download import fetch
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    folder, url, size, md5 = sys.argv[1:]
    try:
        fetch(RemoteFile("a.bin", url, int(size), md5), Path(folder))
    except DataError as error:
        print(error)
    """
    status, out, err = run(code, tmp_path, file.url, file.size, file.md5)
    assert (status, out.count("\n")) == (0, 1), err
    assert "File too large" in out
    assert "free some space" in out
    assert file.description in out
    assert part(tmp_path).read_bytes() == CONTENT[:300_000]
