import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from robust_tuning.frontier import Estimate, FrontierPoint
from robust_tuning.frontier.history import to_lines
from robust_tuning.loggers import RunLogger, WandbSettings, make_wandb_logger
from tests.frontier.synthetic import make_point
from tests.frontier.test_examples import make_examples
from tests.loggers.test_wandb import history, logged

Log = pytest.LogCaptureFixture


@pytest.fixture
def logger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunLogger]:
    """A run offline, in its own folder."""
    import wandb

    monkeypatch.delenv("WANDB_MODE")
    made = make_wandb_logger(WandbSettings("offline"), tmp_path / "run", run_id=None, config={})
    assert made is not None
    yield made
    wandb.finish()
    wandb.teardown()


def finished(folder: Path) -> list[tuple[str, Any]]:
    import wandb

    wandb.finish()
    [file] = (folder / "run" / "wandb").glob("offline-run-*/*.wandb")
    return history(file)


def last_summary(records: list[tuple[str, Any]]) -> dict[str, Any]:
    return {
        (i.key or ".".join(i.nested_key)): json.loads(i.value_json)
        for kind, content in records
        if kind == "summary"
        for i in content.update
    }


def ours(caplog: Log) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name.startswith("robust_tuning")]


def log(logger: RunLogger, points: list[FrontierPoint], place: int = -1) -> None:
    place %= len(points)
    point = points[place]
    metrics = {"frontier/step": point.step, "frontier/area": point.accuracy.value / 2}
    logger.log_point(points, place, metrics, {"linf-1/255": make_examples()})


def test_a_point_is_one_row_of_numbers_table_chart_and_pictures(
    logger: RunLogger, tmp_path: Path
) -> None:
    points = [make_point(step=0), make_point(step=50, accuracy=Estimate.of(9, 10))]
    log(logger, points[:1])
    log(logger, points)
    records = finished(tmp_path)
    rows = [row for row in logged(records) if "frontier/step" in row]
    assert [row["frontier/step"] for row in rows] == [0, 50]
    assert to_lines(rows) == [point.to_json() for point in points]
    assert [row["frontier/points.nrows"] for row in rows] == [1, 2]
    assert [row["frontier/chart/linf-1/255_table.nrows"] for row in rows] == [1, 2]
    assert [row["frontier/examples/linf-1/255.count"] for row in rows] == [2, 2]
    [folder] = (tmp_path / "run" / "wandb").glob("offline-run-*/files")
    for name in ("frontier/points.path", "frontier/chart/linf-1/255_table.path"):
        assert (folder / rows[1][name]).is_file()
    for name in rows[1]["frontier/examples/linf-1/255.filenames"]:
        assert (folder / name).is_file()
    charts = {
        ".".join(item.nested_key)
        for kind, content in records
        if kind == "config"
        for item in content.update
    }
    assert "_wandb.visualize.frontier/chart/linf-1/255" in charts


def test_the_summary_holds_the_area_of_the_training_as_a_plain_number(
    logger: RunLogger, tmp_path: Path
) -> None:
    points = [make_point(step=0), make_point(step=50, accuracy=Estimate.of(9, 10))]
    log(logger, points[:1])
    log(logger, points)
    log(logger, [*points, make_point(step=50, split="test", accuracy=Estimate.of(2, 10))])
    summary = last_summary(finished(tmp_path))
    assert summary["frontier/area"] == 0.45
    assert summary["frontier/points.nrows"] == 3
    assert "frontier/point" not in summary


def test_pictures_that_cannot_be_stored_leave_the_numbers(
    logger: RunLogger, tmp_path: Path, caplog: Log
) -> None:
    [folder] = (tmp_path / "run" / "wandb").glob("offline-run-*/files")
    (folder / "media").write_text("no folder")
    points = [make_point(step=0), make_point(step=50)]
    with caplog.at_level(logging.WARNING):
        log(logger, points[:1])
        log(logger, points)
    assert to_lines(r for r in logged(finished(tmp_path)) if "frontier/point" in r) == [
        point.to_json() for point in points
    ]
    [record] = ours(caplog)  # once
    for expected in ("training goes on", "frontier.jsonl holds every point", "`wandb sync`"):
        assert expected in record.message


def test_a_run_that_takes_nothing_any_more_ends_no_training(logger: RunLogger, caplog: Log) -> None:
    import wandb

    wandb.finish()
    wandb.teardown()
    with caplog.at_level(logging.WARNING):
        logger.log_metrics({"train/loss": 1.0}, step=1)
        logger.log_hyperparams({"lr": 1})
        log(logger, [make_point()])
    assert len(ours(caplog)) == 1


def test_without_an_account_a_run_is_logged_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Log
) -> None:
    import wandb

    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "NETRC", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "nobody"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    with caplog.at_level(logging.WARNING):
        made = make_wandb_logger(WandbSettings("online"), tmp_path / "run", run_id=None, config={})
    try:
        assert made is not None
        log(made, [make_point()])
        assert to_lines(r for r in logged(finished(tmp_path)) if "frontier/point" in r)
    finally:
        wandb.teardown()
    assert len(ours(caplog)) == 1
    assert "`wandb sync`" in caplog.text


def test_a_folder_that_takes_no_run_leaves_no_logger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Log
) -> None:
    import wandb

    monkeypatch.delenv("WANDB_MODE")

    def fails(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(wandb, "init", fails)
    with caplog.at_level(logging.WARNING):
        made = make_wandb_logger(WandbSettings("offline"), tmp_path / "run", run_id=None, config={})
    assert made is None
    assert "No space left on device" in caplog.text
