import csv
from pathlib import Path

import pytest

from robust_tuning.loggers import MetricsFile


def rows(folder: Path) -> list[list[str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_a_row_per_metric_is_written_at_once(tmp_path: Path) -> None:
    logger = MetricsFile(tmp_path)
    logger.log_metrics({"a": 1, "b": 0.1}, step=0)
    assert rows(tmp_path) == [["step", "metric", "value"], ["0", "a", "1.0"], ["0", "b", "0.1"]]
    logger.log_metrics({"a": 1e-30}, step=7)
    assert rows(tmp_path)[3:] == [["7", "a", "1e-30"]]
    logger.log_metrics({"a": float("nan")})
    assert rows(tmp_path)[4:] == [["0", "a", "nan"]]


def test_a_resumed_run_writes_its_rows_anew(tmp_path: Path) -> None:
    first = MetricsFile(tmp_path)
    first.log_metrics({"frontier/x": 0.5}, step=0)
    for step in range(6):
        first.log_metrics({"a": step}, step=step)
        first.log_metrics({"frontier/x": step}, step=step + 1)
    second = MetricsFile(tmp_path)
    second.rewind(4, 3)  # of four steps the last was not measured, or is logged again
    kept = [(row[0], row[1]) for row in rows(tmp_path)[1:]]
    assert [step for step, name in kept if name == "a"] == ["0", "1", "2", "3"]
    assert [step for step, name in kept if name != "a"] == ["0", "1", "2"]
    second.log_metrics({"a": 40}, step=4)
    assert rows(tmp_path)[-1] == ["4", "a", "40.0"]


def test_an_evaluation_of_a_finished_run_forgets_nothing(tmp_path: Path) -> None:
    MetricsFile(tmp_path).log_metrics({"a": 1}, step=7)
    MetricsFile(tmp_path).log_metrics({"test/accuracy": 1}, step=0)
    assert [row[0] for row in rows(tmp_path)[1:]] == ["7", "0"]


def test_there_is_nothing_to_forget_where_nothing_was_logged(tmp_path: Path) -> None:
    MetricsFile(tmp_path / "run").rewind(3, 3)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("torn", ["3", "3,a", "", "3,", "3,a,12"])
def test_a_torn_row_is_dropped(torn: str, tmp_path: Path) -> None:
    MetricsFile(tmp_path).log_metrics({"a": 1, "b, c": 2}, step=1)
    with (tmp_path / "metrics.csv").open("a", newline="") as file:
        file.write(torn)
    MetricsFile(tmp_path).log_metrics({"a": 5}, step=5)
    assert rows(tmp_path)[1:] == [["1", "a", "1.0"], ["1", "b, c", "2.0"], ["5", "a", "5.0"]]


def test_nothing_logged_is_no_file(tmp_path: Path) -> None:
    logger = MetricsFile(tmp_path / "run")
    logger.log_hyperparams({"a": 1})
    logger.save()
    logger.finalize("success")
    assert not (tmp_path / "run").exists()
    assert (logger.name, logger.version) == ("run", "")


def test_the_folder_is_made(tmp_path: Path) -> None:
    MetricsFile(tmp_path / "deep" / "run").log_metrics({"a": 1}, step=0)
    assert (tmp_path / "deep" / "run" / "metrics.csv").exists()
