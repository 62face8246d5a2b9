import random
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from robust_tuning.data.preparation import prepare
from robust_tuning.data.remote import RemoteFile
from robust_tuning.errors import DataError
from tests.data.children import run, start
from tests.data.packing import found, packed, remote
from tests.data.web import Site, serving

FILES = {f"images/{number}.bin": f"image {number}".encode() for number in range(200)}
LISTS = {"lists/train.txt": b"0 1 2", "lists/test.txt": b"3"}
EXTRA = {"readme.txt": b"of the archive"}
LABELS = b"labels"
INTO_PLACE = ("images", "lists")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(packed("tgz", FILES | LISTS | EXTRA)) as site:
        yield site


@pytest.fixture
def archive(site: Site) -> RemoteFile:
    return remote("data.tgz", site.content, site.address, unpacks=INTO_PLACE)


@pytest.fixture
def labels() -> RemoteFile:
    return remote("labels.txt", LABELS)


def words(file: RemoteFile) -> list[object]:
    return [file.url, file.size, file.md5]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def leftovers(root: Path) -> list[Path]:
    return sorted(root.glob(".unpacking-*"))


def is_complete(root: Path) -> bool:
    inside = {name: content for name, content in found(root).items() if "/" in name}
    return inside == FILES | LISTS and not leftovers(root)


def test_a_download_is_unpacked_into_place(site: Site, archive: RemoteFile, tmp_path: Path) -> None:
    root = tmp_path / "not" / "there" / "yet"
    prepare(root, [archive], download=True)
    assert is_complete(root)
    assert names(root) == [".prepare.lock", "data.tgz", "images", "lists"]
    assert len(site.paths) == 1


def test_an_archive_that_lies_there_needs_no_download(
    site: Site, archive: RemoteFile, tmp_path: Path
) -> None:
    (tmp_path / "data.tgz").write_bytes(site.content)
    prepare(tmp_path, [archive], download=False)
    assert is_complete(tmp_path)
    assert site.paths == []


def test_a_file_without_contents_to_unpack_stays_as_it_came(tmp_path: Path) -> None:
    with serving(LABELS) as site:
        prepare(tmp_path, [remote("labels.txt", LABELS, site.address)], download=True)
    assert found(tmp_path) == {"labels.txt": LABELS, ".prepare.lock": b""}


def test_what_is_there_is_not_touched(
    archive: RemoteFile, labels: RemoteFile, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    for name in INTO_PLACE:
        (root / name).mkdir(parents=True)
    (root / "labels.txt").write_bytes(b"not looked into")
    root.chmod(0o555)  # binds who is not the superuser; for others the time below tells
    before = root.stat()
    try:
        prepare(root, [archive, labels], download=True)
    finally:
        root.chmod(0o755)
    assert names(root) == ["images", "labels.txt", "lists"]
    assert root.stat().st_mtime_ns == before.st_mtime_ns


def test_only_what_is_missing_is_fetched_and_renamed(
    site: Site, archive: RemoteFile, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "mine").write_bytes(b"1")
    prepare(tmp_path, [archive], download=True)
    inside = {name: content for name, content in found(tmp_path).items() if "/" in name}
    assert inside == LISTS | {"images/mine": b"1"}


def test_every_absent_file_is_listed_after_what_could_be_done(
    site: Site, archive: RemoteFile, labels: RemoteFile, tmp_path: Path
) -> None:
    (tmp_path / "data.tgz").write_bytes(site.content)
    other = replace(archive, name="other.zip", unpacks=("other",))
    with pytest.raises(DataError) as caught:
        prepare(tmp_path, [labels, archive, other], download=False)
    text = str(caught.value)
    assert text.startswith(f"{tmp_path} lacks 2 of 3 files:")
    assert labels.description in text
    assert other.description in text
    assert archive.description not in text
    assert "pass download: true / robust-tuning data prepare" in text
    assert is_complete(tmp_path)


def test_a_wrong_root_stays_as_it_is(archive: RemoteFile, tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "not" / "there"):
        with pytest.raises(DataError, match="lacks 1 of 1 files"):
            prepare(root, [archive], download=False)
        assert names(tmp_path) == []


def test_a_wrong_archive_is_not_unpacked(site: Site, archive: RemoteFile, tmp_path: Path) -> None:
    (tmp_path / "data.tgz").write_bytes(site.content[:-1] + b"?")
    with pytest.raises(DataError, match=r"has the md5 .* delete .*data\.tgz and prepare again"):
        prepare(tmp_path, [archive], download=True)
    assert names(tmp_path) == [".prepare.lock", "data.tgz"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"unpacks": ("images", "labels")}, "holds images, lists, readme.txt, expected labels;"),
        ({"max_entries": 100}, "holds more than 100 members;"),
        ({"max_unpacked": 1000}, "holds more than 1,000 bytes;"),
    ],
)
def test_an_archive_of_other_content_leaves_nothing(
    archive: RemoteFile, tmp_path: Path, settings: dict[str, object], reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        prepare(tmp_path, [replace(archive, **settings)], download=True)  # type: ignore[arg-type]  # of any field
    assert names(tmp_path) == [".prepare.lock", "data.tgz"]


@pytest.mark.parametrize("place", ["a file", "below a file", "/proc/1/nowhere"])
def test_a_root_that_cannot_be_written(place: str, archive: RemoteFile, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    places = {"a file": tmp_path / "file", "below a file": tmp_path / "file" / "root"}
    with pytest.raises(DataError, match=r"preparing .* failed in .*; choose a folder on a disk"):
        prepare(places.get(place, Path(place)), [archive], download=True)


def test_too_little_space_is_seen_first(site: Site, archive: RemoteFile, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"downloading data\.tgz .* takes at least 1,000,000,000,000"
    ):
        prepare(tmp_path, [replace(archive, size=10**15)], download=True)
    assert site.paths == []


KILL = """
root, url, size, md5, event, count, number = sys.argv[1:]
seen = 0
def watch(name, arguments):
    global seen
    if name == event and ".unpacking-" in str(arguments[0]):
        seen += 1
        if seen == int(count):
            os.kill(os.getpid(), int(number))
sys.addaudithook(watch)
prepare_from(root, url, size, md5)
"""


@pytest.mark.parametrize(
    ("event", "count", "visible"),
    [("open", 100, []), ("os.rename", 1, []), ("os.rename", 2, ["images"])],
)
def test_a_killed_preparation_leaves_nothing_half_done(
    archive: RemoteFile, tmp_path: Path, event: str, count: int, visible: list[str]
) -> None:
    status, _, err = run(KILL, tmp_path, *words(archive), event, count, int(signal.SIGKILL))
    assert status == -signal.SIGKILL, err
    (left,) = leftovers(tmp_path)
    assert names(tmp_path) == sorted([".prepare.lock", left.name, "data.tgz", *visible])
    assert len(list((tmp_path / "images").glob("*"))) == (200 if visible else 0)
    if event == "open":
        assert 0 < len(found(left)) < 100
    prepare(tmp_path, [archive], download=False)
    assert is_complete(tmp_path)


@pytest.mark.parametrize(("event", "count"), [("open", 100), ("os.rename", 1)])
def test_an_interrupted_preparation_cleans_up(
    archive: RemoteFile, tmp_path: Path, event: str, count: int
) -> None:
    _, _, err = run(KILL, tmp_path, *words(archive), event, count, int(signal.SIGINT))
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert names(tmp_path) == [".prepare.lock", "data.tgz"]


def test_two_processes_take_turns(site: Site, archive: RemoteFile, tmp_path: Path) -> None:
    code = """
unpackings = []
def watch(name, arguments):
    if name == "tempfile.mkdtemp":
        unpackings.append(arguments)
sys.addaudithook(watch)
prepare_from(*sys.argv[1:])
print(len(unpackings))
"""
    first_is_downloading, go_on = threading.Event(), threading.Event()

    def midway() -> None:
        first_is_downloading.set()
        go_on.wait(30)

    site.midway = midway
    first = start(code, tmp_path, *words(archive))
    assert first_is_downloading.wait(30)
    second = start(code, tmp_path, *words(archive))
    assert second.stderr is not None
    assert f"waiting for another process that prepares {tmp_path}" in second.stderr.readline()
    go_on.set()
    out = [child.communicate(timeout=60)[0] for child in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert out == ["1\n", "0\n"]
    assert len(site.paths) == 1
    assert is_complete(tmp_path)


def test_without_download_one_waits_for_who_downloads(
    site: Site, archive: RemoteFile, tmp_path: Path
) -> None:
    code = "prepare_from(*sys.argv[1:], download=False)"
    answering, go_on = threading.Event(), threading.Event()

    def midway() -> None:
        answering.set()
        go_on.wait(30)

    site.midway = midway
    downloading = threading.Thread(
        target=prepare, args=(tmp_path, [archive]), kwargs={"download": True}
    )
    downloading.start()
    assert answering.wait(30)
    child = start(code, tmp_path, *words(archive))
    assert child.stderr is not None
    assert "waiting for another process" in child.stderr.readline()
    go_on.set()
    child.communicate(timeout=60)
    downloading.join()
    assert child.returncode == 0
    assert is_complete(tmp_path)


BIG = random.Random(0).randbytes(1000) * 3000  # 3 MB that compress to little


@pytest.fixture
def big() -> tuple[RemoteFile, bytes]:
    content = packed("tgz", {"images/small": b"1", "images/big": BIG, "lists/one": b"1"})
    return remote("data.tgz", content, unpacks=INTO_PLACE), content


def test_a_limit_on_file_sizes_is_one_line_and_leaves_nothing(
    big: tuple[RemoteFile, bytes], tmp_path: Path
) -> None:
    file, content = big
    (tmp_path / "data.tgz").write_bytes(content)
    code = """
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
try:
    prepare_from(*sys.argv[1:], download=False)
except DataError as error:
    print(error)
"""
    _, out, err = run(code, tmp_path, *words(file))
    assert out.count("\n") == 1, err
    assert "File too large" in out
    assert "free some space" in out
    assert names(tmp_path) == [".prepare.lock", "data.tgz"]


def namespace() -> list[str]:
    """What to put before a command that may mount; skips where no user may."""
    before = ["unshare", "--map-root-user", "--mount"]
    try:
        done = subprocess.run(
            [*before, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("the command unshare is not installed")
    if done.returncode:
        pytest.skip(f"no mount in a namespace of one's own: {done.stderr.decode().strip()}")
    return before


MOUNTED = """
import shutil, subprocess
archive, root, *words = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", root], check=True)
def attempt(download):
    try:
        prepare_from(root, *words, download=download)
    except DataError as error:
        print(error)
    else:
        print("done")
    print(*sorted(os.listdir(root)))
"""


def test_a_disk_that_fills_up_is_one_line_and_leaves_nothing(
    big: tuple[RemoteFile, bytes], tmp_path: Path
) -> None:
    before = namespace()
    file, content = big
    (tmp_path / "data.tgz").write_bytes(content)
    (tmp_path / "root").mkdir()
    code = (
        MOUNTED
        + """
shutil.copy(archive, root)
attempt(False)
subprocess.run(["mount", "-o", "remount,size=8m", root], check=True)
attempt(False)
"""
    )
    there = (tmp_path / "data.tgz", tmp_path / "root", *words(file))
    _, out, err = run(code, *there, before=before)
    error, listing, *again = out.splitlines()
    assert "No space left on device" in error, err
    assert "free some space" in error
    assert listing == ".prepare.lock data.tgz"
    assert again == ["done", ".prepare.lock data.tgz images lists"]


def test_a_disk_that_is_too_small_from_the_beginning(
    big: tuple[RemoteFile, bytes], tmp_path: Path
) -> None:
    before = namespace()
    file, content = big
    (tmp_path / "data.tgz").write_bytes(content)
    (tmp_path / "root").mkdir()
    code = (
        MOUNTED
        + """
shutil.copy(archive, root)
Path(root, "filler").write_bytes(bytes(shutil.disk_usage(root).free))
attempt(False)
"""
    )
    there = (tmp_path / "data.tgz", tmp_path / "root", *words(file))
    _, out, err = run(code, *there, before=before)
    assert out.splitlines()[-1] == ".prepare.lock data.tgz filler", err
    assert f"takes at least {file.size:,} bytes and 0 are free" in out


def test_a_disk_that_is_read_only(big: tuple[RemoteFile, bytes], tmp_path: Path) -> None:
    before = namespace()
    file, content = big
    (tmp_path / "data.tgz").write_bytes(content)
    (tmp_path / "root").mkdir()
    code = (
        MOUNTED
        + """
os.mkdir(root + "/images"); open(root + "/.prepare.lock", "w").close()
def remount(how): subprocess.run(["mount", "-o", "remount," + how, root], check=True)
remount("ro"); attempt(False); attempt(True)
remount("rw"); shutil.copy(archive, root)
remount("ro"); attempt(False)
remount("rw"); os.mkdir(root + "/lists")
remount("ro"); attempt(True)
"""
    )
    there = (tmp_path / "data.tgz", tmp_path / "root", *words(file))
    _, out, err = run(code, *there, before=before)
    lines = [line for line in out.splitlines() if not line.startswith(("  ", "."))]
    assert lines[0] == f"{tmp_path}/root lacks 1 of 1 files:", err
    assert sum("Read-only file system" in line for line in lines) == 2
    assert all("choose another one" in line for line in lines if "Read-only" in line)
    assert lines[-1] == "done"
