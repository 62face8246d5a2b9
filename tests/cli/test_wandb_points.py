import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from robust_tuning.cli.frontier import main
from robust_tuning.cli.wandb_points import fetch_runs
from robust_tuning.errors import RunError
from robust_tuning.frontier import read_points

RESPONSES = Path(__file__).parent.parent / "oracles" / "wandb"
PROJECT = "my-team/robust-tuning"
Capture = pytest.CaptureFixture[str]


class Service(BaseHTTPRequestHandler):
    """Answers the queries of the client with the files that are named after them.

    `OPERATION.json`, with the run, the cursor or the project that was asked for behind it.
    """

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/graphql":  # usage statistics
            return self.answer(404, {})
        request = json.loads(body)
        variables = request.get("variables") or {}
        if variables.get("project") == "nothing":
            return self.answer(200, {"data": {"project": None}})
        operation = re.search(r"query (\w+)", request["query"])
        assert operation
        parts = [
            f"-{variables[k]}"
            for k in ("name", "runName", "run", "cursor", "project")
            if variables.get(k)
        ]
        candidates = [RESPONSES / f"{operation[1]}{part}.json" for part in [*parts, ""]]
        file = next(file for file in candidates if file.exists())
        response = json.loads(file.read_text())
        if "spec" in variables:  # a page of history
            spec, run = json.loads(variables["spec"]), response["data"]["project"]["run"]
            assert {"frontier/point", "frontier/place", "frontier/count"} <= set(spec["keys"])
            pages = run["sampledHistory"]
            pages[0] = [r for r in pages[0] if spec["minStep"] <= r["_step"] <= spec["maxStep"]]
        return self.answer(200, response)

    def answer(self, status: int, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The real client, pointed at a server in this process."""
    import wandb

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_port}")
        patch.setenv("WANDB_API_KEY", "0" * 40)
        for name in ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
            patch.setenv(name, str(home))
        wandb.teardown()  # what another test has begun knows another server
        yield
        wandb.teardown()
    server.shutdown()
    server.server_close()
    thread.join()


def lines(folder: Path) -> list[str]:
    return (folder / "frontier.jsonl").read_text().splitlines()


@pytest.mark.usefixtures("_service")
def test_the_points_are_those_that_the_runs_had(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="curves-only-e5f6a7b8: left out, it has logged no points"):
        folders = fetch_runs(PROJECT, tmp_path)
    assert folders == [tmp_path / "LoRA_rank_8-a1b2c3d4", tmp_path / "bitfit-c9d0e1f2"]
    resumed, running = map(read_points, folders)
    # The first was joined by shifts; a resumed run forgot step 400, and went on to others.
    assert [point.step for point in resumed] == [0, 200, 300, 500]
    assert [point.accuracy.successes for point in resumed] == [2, 60, 75, 85]
    assert [bool(point.ood_accuracy) for point in resumed] == [True, False, False, False]
    assert [(p.strategy, p.step) for p in running] == [("BitFit", 0), ("BitFit", 200)]
    logged = (RESPONSES / "SampledHistoryPage-a1b2c3d4.json").read_text()
    assert all(json.dumps(line) in logged for line in lines(folders[0]))


@pytest.mark.usefixtures("_service")
def test_the_report_is_the_usual_one(tmp_path: Path, capsys: Capture) -> None:
    assert main(["--wandb", PROJECT, "--output", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert "LoRA" in out
    assert "BitFit" in out
    assert "nothing is known about single examples" in " ".join(out.split())
    assert err.count("left out") == 1
    assert {"areas.csv", "points.csv", "runs"} <= {p.name for p in (tmp_path / "out").iterdir()}
    assert lines(tmp_path / "out" / "runs" / "bitfit-c9d0e1f2")


@pytest.mark.usefixtures("_service")
def test_a_project_that_is_not_there_fails_in_one_line(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--wandb", "my-team/nothing"]) == 1
    err = capsys.readouterr().err
    assert "my-team/nothing cannot be read from Weights & Biases" in err
    assert "wandb login" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("_service")
def test_a_project_without_points_is_refused(tmp_path: Path) -> None:
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(RunError, match="my-team/curves at Weights & Biases has no run with points"),
    ):
        fetch_runs("my-team/curves", tmp_path)


@pytest.mark.parametrize("words", [["--wandb", "project"], ["--wandb", "a/b/c"], []])
def test_what_is_no_project_is_wrong_usage(words: list[str], capsys: Capture) -> None:
    assert main(words) == 2
    assert "ENTITY/PROJECT" in capsys.readouterr().err


def test_the_help_says_what_was_not_tried(capsys: Capture) -> None:
    assert main(["--help"]) == 0
    assert "not tried against the real service" in " ".join(capsys.readouterr().out.split())
