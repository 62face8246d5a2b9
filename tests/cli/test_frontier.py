import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from robust_tuning.cli.frontier import main
from robust_tuning.frontier import append_point
from tests.frontier.synthetic import make_point, write_run
from tests.frontier.synthetic_shifts import write_shifted_run

STEPS = (0, 200, 400)
ALONE = {
    *("areas.csv", "points.csv", "scalars.csv"),
    *("frontier.png", "frontier.svg", "frontier.pdf"),
}
FILES = ALONE | {"differences.csv"}
OOD_FILES = {"ood.csv", "ood_summary.csv", "ood.png", "ood.svg", "ood.pdf"}
Capture = pytest.CaptureFixture[str]


def quick(words: list[str]) -> int:
    return main([*words, "--no-report"])


def write_two(folder: Path) -> Path:
    for strategy in ("LoRA", "BitFit"):
        write_run(folder / strategy, strategy, steps=STEPS, examples=200)
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_several_runs_are_reported_beside_them(tmp_path: Path, capsys: Capture) -> None:
    write_two(tmp_path)
    assert quick([str(tmp_path), "--replicates", "20"]) == 0
    out, err = capsys.readouterr()
    assert names(tmp_path / "frontier") == FILES
    assert err == ""
    assert "LoRA" in out
    assert "area dominated by the Pareto frontier (staircase)" in out
    for name in FILES:
        assert f"wrote {tmp_path / 'frontier' / name}" in out
    # Its own output is no run: a second call sees the same two.
    assert quick([str(tmp_path), "--replicates", "20"]) == 0
    assert capsys.readouterr().out == out


def test_one_run_is_reported_in_its_own_folder(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=STEPS, examples=200)
    assert quick([str(folder)]) == 0
    assert names(folder) >= ALONE
    assert "differences.csv" not in names(folder)


def test_output_reference_and_interpolation_are_taken(tmp_path: Path, capsys: Capture) -> None:
    write_two(tmp_path / "runs")
    options = ["--interpolation", "linear", "--reference", "0.1,0.02", "--confidence", "0.9"]
    output = tmp_path / "deep" / "out"
    assert quick([str(tmp_path / "runs"), "--output", str(output), *options]) == 0
    out = capsys.readouterr().out
    assert "straight lines between its members) above accuracy 0.1 and robust accuracy 0.02" in out
    assert "90% intervals" in out
    assert names(output) == FILES
    assert names(tmp_path / "runs") == {"LoRA", "BitFit"}


def test_what_cannot_be_reported_has_its_line_and_the_rest_comes(
    tmp_path: Path, capsys: Capture
) -> None:
    write_run(tmp_path / "good", steps=STEPS, examples=200)
    for name in ("empty", "torn", "newer", "clean", "nothing"):
        (tmp_path / name).mkdir()
    (tmp_path / "empty" / "frontier.jsonl").touch()
    (tmp_path / "torn" / "frontier.jsonl").write_text('{"schema": 1,')
    newer = make_point().to_json().replace('"schema": 1', '"schema": 9')
    (tmp_path / "newer" / "frontier.jsonl").write_text(newer + "\n")
    append_point(tmp_path / "clean", make_point(robust_accuracy={}, attack=None))
    paths = [str(tmp_path / name) for name in ("missing", *sorted(names(tmp_path)))]
    assert quick([*paths, "--replicates", "20"]) == 0
    out, err = capsys.readouterr()
    assert "LoRA" in out
    for expected in (
        f"{tmp_path / 'missing'}: no such folder",
        f"{tmp_path / 'nothing'}: no run in this folder",
        f"{tmp_path / 'empty'}: left out, no evaluation is stored in it yet",
        f"{tmp_path / 'torn'}: left out, no evaluation is stored in it yet",
        "line 1 is skipped: torn",
        "schema 9, this version reads up to 1: upgrade robust-tuning",
        f"{tmp_path / 'clean'}: left out, its evaluations have no robust accuracy",
    ):
        assert expected in err
    assert len(err.splitlines()) == 7
    assert all(line.startswith("robust-tuning frontier: ") for line in err.splitlines())


def test_bad_lines_have_their_message_and_older_ones_are_read(
    tmp_path: Path, capsys: Capture
) -> None:
    write_run(tmp_path / "good", "BitFit", steps=STEPS, examples=200)
    old = write_run(tmp_path / "old", steps=STEPS, examples=200) / "frontier.jsonl"
    records = [json.loads(line) for line in old.read_text().splitlines()]
    for record in records:
        for key in ("diagnostics", "shifts", "calibration"):  # what the first version lacked
            del record[key]
        del record["cost"]["peak_memory"]
    nan = dict(records[1], accuracy={**records[1]["accuracy"], "value": float("nan")})
    unversioned = {key: value for key, value in records[1].items() if key != "schema"}
    lines = [*records, nan, unversioned, records[2]]
    old.write_text("".join(f"{json.dumps(line)}\n" for line in lines) + '{"schema": 1, "run')
    assert main([str(tmp_path), "--replicates", "20"]) == 0
    out, err = capsys.readouterr()
    for expected in (
        "line 4 is skipped: not a line of JSON: NaN is no measurement",
        "line 5 is skipped: the key 'schema' is missing",
        "line 7 is skipped: torn",
        f"{tmp_path / 'old'}: evaluated more than once at step 400; the last one counts",
    ):
        assert expected in err
    assert len(err.splitlines()) == 4
    assert "BitFit" in out
    assert "LoRA" in out
    assert "1 / 3" in out, "points of the run"


def test_runs_can_be_pooled_and_areas_normalised(tmp_path: Path, capsys: Capture) -> None:
    write_two(tmp_path)
    words = [str(tmp_path), "--replicates", "20", "--reference", "0.5,0.1"]
    assert main([*words, "--pool", "run", "--normalise", "best"]) == 0
    out = capsys.readouterr().out
    assert "BitFit · BitFit" in out
    assert "pooled: the points of each run" in out
    assert "as a share of the area of a model that is always right" in out
    assert main([*words, "--pool", "all"]) == 0
    assert "all strategies alone was measured" in capsys.readouterr().out


def test_the_table_of_the_paper(tmp_path: Path, capsys: Capture) -> None:
    write_two(tmp_path)
    assert quick([str(tmp_path), "--replicates", "20", "--table", "paper"]) == 0
    out = capsys.readouterr().out
    assert "caltech256: best: BitFit, " in out
    assert "% above the average of the strategies, winner included [" in out
    assert "trainable" not in out
    assert names(tmp_path / "frontier") == FILES


def test_what_stands_apart_is_said(tmp_path: Path, capsys: Capture) -> None:
    write_two(tmp_path)
    write_run(tmp_path / "other", "IA3", steps=STEPS, examples=100)
    assert quick([str(tmp_path), "--replicates", "20"]) == 0
    out = capsys.readouterr().out
    assert "not on these frontiers: run other differs in evaluation examples (100, here" in out


@pytest.mark.parametrize("content", ["", '{"schema": 1,'])
def test_nothing_to_report_fails(tmp_path: Path, capsys: Capture, content: str) -> None:
    (tmp_path / "frontier.jsonl").write_text(content)
    assert quick([str(tmp_path)]) == 1
    assert "nothing to report" in capsys.readouterr().err
    assert names(tmp_path) == {"frontier.jsonl"}


def test_an_output_that_cannot_be_made_fails_in_one_line(tmp_path: Path, capsys: Capture) -> None:
    folder = write_run(tmp_path / "run", steps=STEPS, examples=200)
    (tmp_path / "file").touch()
    assert quick([str(folder), "--output", str(tmp_path / "file" / "out")]) == 1
    err = capsys.readouterr().err
    assert "Not a directory" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "RUN"),
        (["run", "--interpolation", "cubic"], "staircase"),
        (["run", "--reference", "0.1"], "expected two fractions"),
        (["run", "--reference", "1,0"], r"[0, 1)"),
        (["run", "--confidence", "95"], "confidence is 95.0: expected 0 < confidence < 1"),
        (["run", "--replicates", "-1"], "replicates is -1"),
        (["run", "--colour"], "--colour"),
        (["run", "--pool", "seed"], "strategy"),
        (["run", "--ood_reference", "nowhere:7"], "got 'nowhere:7', expected one run folder"),
    ],
)
def test_wrong_usage_is_two(capsys: Capture, words: list[str], complaint: str) -> None:
    assert quick(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert complaint in err


def write_shifted(folder: Path, strategy: str = "LoRA") -> Path:
    return write_shifted_run(folder, strategy, examples=50, steps=STEPS, severities=(1, 2))


def test_shifts_are_reported_without_an_attack(tmp_path: Path, capsys: Capture) -> None:
    for strategy in ("LoRA", "BitFit"):
        write_shifted(tmp_path / strategy, strategy)
    assert quick([str(tmp_path), "--replicates", "20", "--confidence", "0.9"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert names(tmp_path / "frontier") == OOD_FILES
    assert "glass_blur" in out
    assert "quickdraw" in out
    assert "90% intervals" in out
    assert "mCE" not in out


def test_attacked_and_shifted_runs_are_reported_together(tmp_path: Path, capsys: Capture) -> None:
    write_run(tmp_path / "attacked", steps=STEPS, examples=50)
    write_shifted(tmp_path / "shifted")
    assert quick([str(tmp_path), "--replicates", "20"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert names(tmp_path / "frontier") == ALONE | OOD_FILES
    assert "area dominated by" in out
    assert "error above" in out


@pytest.mark.parametrize(("suffix", "step"), [("", 400), (":200", 200)])
def test_mce_is_relative_to_the_run_named(
    tmp_path: Path, capsys: Capture, suffix: str, step: int
) -> None:
    write_shifted(tmp_path / "run")
    reference = write_shifted(tmp_path / "reference", "BitFit")
    words = [str(tmp_path / "run"), "--replicates", "20", "--ood_reference", f"{reference}{suffix}"]
    assert quick(words) == 0
    assert f"relative to those of reference at step {step} (BitFit" in capsys.readouterr().out


def test_a_reference_without_its_step_fails_in_one_line(tmp_path: Path, capsys: Capture) -> None:
    folder = write_shifted(tmp_path / "run")
    assert quick([str(folder), "--ood_reference", f"{folder}:7"]) == 1
    err = capsys.readouterr().err
    assert "no evaluation at step 7" in err
    assert len(err.splitlines()) == 1


def test_help_is_zero(capsys: Capture) -> None:
    assert quick(["--help"]) == 0
    assert "robust-tuning frontier" in capsys.readouterr().out


def test_without_matplotlib_tables_and_csv_still_come(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    write_two(tmp_path)
    assert quick([str(tmp_path), "--replicates", "0"]) == 0
    out, err = capsys.readouterr()
    assert names(tmp_path / "frontier") == {"areas.csv", "points.csv", "scalars.csv"}
    assert "LoRA" in out
    assert err.count("pip install 'robust-tuning[plots]'") == 1


def test_runs_far_apart_are_reported_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [write_run(tmp_path / name, steps=STEPS, examples=200) for name in ("a", "b")]
    monkeypatch.chdir(runs[0])
    # As if the two folders shared the root alone.
    monkeypatch.setattr(os.path, "commonpath", lambda _: tmp_path.anchor)
    assert quick([*map(str, runs), "--replicates", "0"]) == 0
    assert names(runs[0] / "frontier") == ALONE


def test_the_report_has_the_command_and_figures_stand_beside_it(
    tmp_path: Path, capsys: Capture
) -> None:
    pytest.importorskip("plotly")
    run = write_run(tmp_path / "a run", steps=STEPS, examples=50, threats=("linf-1/255",))
    words = [str(run), "--replicates", "20"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert f"wrote {run / 'report.html'}" in out
    assert f"wrote {run / 'figures' / 'areas.pdf'}" in out
    assert f"robust-tuning frontier '{run}' --replicates 20" in (run / "report.html").read_text()


def test_without_plotly_all_but_the_report_comes(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    run = write_run(tmp_path / "run", steps=STEPS, examples=50, threats=("linf-1/255",))
    assert main([str(run), "--replicates", "0"]) == 0
    assert capsys.readouterr().err.count("pip install 'robust-tuning[report]'") == 1
    assert names(run) >= {*ALONE, "figures"}
    assert not (run / "report.html").exists()


def test_without_matplotlib_the_report_still_comes(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("plotly")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    run = write_run(tmp_path / "run", steps=STEPS, examples=50)
    assert main([str(run), "--replicates", "0"]) == 0
    assert capsys.readouterr().err.count("pip install 'robust-tuning[plots]'") == 1
    assert (run / "report.html").exists()
    assert not (run / "figures").exists()


def test_it_runs_as_a_process(tmp_path: Path) -> None:
    write_two(tmp_path)
    code = "import sys; from robust_tuning.cli.frontier import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-W", "error", "-c", code, "--no-report"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "BitFit" in done.stdout
    failed = subprocess.run(
        [*command, str(tmp_path / "missing")], capture_output=True, text=True, check=False
    )
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
