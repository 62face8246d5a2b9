"""A sweep whose state lies in a real PostgreSQL, where one is installed."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from robust_tuning.frontier import read_points
from robust_tuning.sweeps.crew import Crew
from robust_tuning.sweeps.ledger import begin_ledger
from robust_tuning.sweeps.storage import open_storage
from tests.sweeps.test_storage import claim_by_three
from tests.sweeps.test_worker import make_settings

_PROGRAMS = [*Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), shutil.which("pg_ctl")]
_BIN = next((Path(program).parent for program in _PROGRAMS if program), None)


class Server:
    """PostgreSQL in a folder of its own, reached through a socket there."""

    def __init__(self, folder: Path) -> None:
        assert _BIN is not None
        self.url = f"postgresql+psycopg://tester@/postgres?host={folder}"
        self._folder = folder
        # It refuses to be run by root.
        self._user = {"user": "nobody", "group": "nogroup"} if os.getuid() == 0 else {}
        if self._user:
            shutil.chown(folder, **self._user)
        self._run("initdb", "--auth=trust", "--username=tester", "--no-sync")

    def start(self) -> None:
        options = f"-k {self._folder} -c listen_addresses='' -c fsync=off"
        self._run("pg_ctl", "start", "--wait", "-o", options, "-l", str(self._folder / "log"))

    def stop(self) -> None:
        """As a power cut would."""
        self._run("pg_ctl", "stop", "--mode=immediate", "--wait")

    def _run(self, program: str, *options: str) -> None:
        command = [str(_BIN / program), "-D", str(self._folder / "data"), *options]  # type: ignore[operator]
        subprocess.run(
            command, check=True, cwd=self._folder, stdout=subprocess.DEVNULL, **self._user
        )  # type: ignore[call-overload]


@pytest.fixture
def server() -> Iterator[Server]:
    pytest.importorskip("psycopg")
    if _BIN is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # short, as a socket's path has to be
    started = Server(folder)
    started.start()
    yield started
    started.stop()
    shutil.rmtree(folder)


def test_a_trial_is_claimed_by_one_process(server: Server) -> None:
    assert sorted(claim_by_three(server.url)) == list(range(40))


def test_a_restart_of_the_server_loses_and_doubles_nothing(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    settings, _ = make_settings(tmp_path, [0], ["LoRA", "BitFit"], run_cap=4)
    settings = replace(settings, storage=server.url, beat=0.2)
    ledger = begin_ledger(open_storage(server.url), settings.sweep)
    crew = Crew(settings, 2)
    down = threading.Event()

    def power_cut() -> None:
        server.stop()
        threading.Timer(3.0, server.start).start()

    def cut_once(_: object) -> None:
        if not down.is_set() and len(list(tmp_path.glob("*/log.txt"))) >= 2:
            down.set()
            power_cut()

    assert crew.watch(ledger, cut_once, every=0.1) == 0
    assert down.is_set()
    assert [record.state for record in ledger.records()] == ["done"] * 4
    folders = sorted(path.parent for path in tmp_path.glob("*/log.txt"))
    assert len(folders) == 4
    assert all([p.step for p in read_points(folder)] == [0, 1, 2, 3] for folder in folders)
    said = capfd.readouterr().err
    assert "is out of reach" in said
    assert "is back" in said
    assert "Traceback" not in said
