import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from robust_tuning.frontier import read_points
from robust_tuning.frontier.history import to_lines
from robust_tuning.loggers import WandbSettings, make_wandb_logger
from tests.cli.conftest import QUICK, Command
from tests.cli.conftest import command as command


@pytest.mark.parametrize(
    ("mode", "environment", "expected"),
    [
        ("auto", {}, "offline"),
        ("auto", {"WANDB_SWEEP_ID": "abc"}, "online"),
        ("auto", {"WANDB_SWEEP_ID": "abc", "WANDB_MODE": "offline"}, "offline"),
        ("auto", {"WANDB_MODE": "disabled"}, "disabled"),
        ("auto", {"WANDB_MODE": "online"}, "online"),
        ("auto", {"WANDB_MODE": "nonsense"}, "offline"),
        ("offline", {"WANDB_MODE": "online", "WANDB_SWEEP_ID": "abc"}, "offline"),
        ("disabled", {"WANDB_MODE": "online"}, "disabled"),
    ],
)
def test_the_mode(
    mode: Any, environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_MODE", "WANDB_SWEEP_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert WandbSettings(mode=mode).resolved_mode == expected


def test_disabled_is_no_logger(tmp_path: Path) -> None:
    settings = WandbSettings(mode="disabled")
    assert make_wandb_logger(settings, tmp_path / "run", run_id=None, config={}) is None
    assert not (tmp_path / "run").exists()


def messages(data: bytes) -> Iterator[bytes]:
    """Messages of a `.wandb` file: LevelDB's log format behind seven bytes of W&B's own."""
    block, place, message = 32_768, 7, b""
    while place + 7 <= len(data):
        left = block - place % block
        if left < 7:
            place += left
            continue
        size, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        message += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last of several
            yield message
            message = b""


def history(file: Path) -> list[tuple[str, Any]]:
    """What an offline run holds: kinds of records and their content."""
    from wandb.proto.wandb_internal_pb2 import Record

    found = []
    for data in messages(file.read_bytes()):
        record = Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        found.append((kind, getattr(record, kind)))
    return found


def logged(records: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    return [
        {(i.key or ".".join(i.nested_key)): json.loads(i.value_json) for i in content.item}
        for kind, content in records
        if kind == "history"
    ]


@pytest.mark.slow
def test_offline_runs_hold_the_frontier_on_its_own_axis(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE")
    folder = Path("mine")
    words = (*QUICK, "--run", "mine", "--trainer.log_every_n_steps", "1")
    words += ("--adversarial.examples", "4")
    try:
        assert command(*words).status == 0
        longer = (*words, "--trainer.max_epochs", "2", "--ckpt_path", "last")
        first = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["wandb_id"]
        import wandb

        wandb.finish()
        assert command(*longer).status == 0
        second = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["wandb_id"]
        wandb.finish()
    finally:
        wandb.teardown()
    assert first == second
    files = sorted((folder / "wandb").glob("offline-run-*/*.wandb"))
    assert len(files) == 2
    assert all(first in file.name for file in files)
    records = [record for file in files for record in history(file)]
    points = read_points(folder)
    every = [row for row in logged(records) if "frontier/step" in row]
    # The last point before a resumption comes once more: a kill may have come before its logging.
    assert [row["frontier/place"] for row in every] == [0, 1, 2, 2, 3]
    assert every[3]["frontier/point"] == every[2]["frontier/point"]
    assert to_lines(every) == (folder / "frontier.jsonl").read_text().splitlines()
    rows = [*every[:3], every[4]]
    assert (
        [row["frontier/step"] for row in rows] == [point.step for point in points] == [0, 2, 3, 6]
    )
    for row, point in zip(rows, points, strict=True):
        assert row["frontier/accuracy"] == pytest.approx(point.accuracy.value)
        for threat, estimate in point.robust_accuracy.items():
            assert row[f"frontier/robust_accuracy/{threat}"] == pytest.approx(estimate.value)
            assert 0 <= row[f"frontier/area/{threat}"] <= 1
        assert 0 <= row["frontier/area"] <= 1
        assert row["frontier/points.nrows"] == points.index(point) + 1
        assert any(key.startswith("frontier/examples/linf-") for key in row)
    axes = {c.glob_name or c.name: c.step_metric for kind, c in records if kind == "metric"}
    assert axes["frontier/*"] == "frontier/step"
    assert any("train/loss" in row for row in logged(records))
    [config] = {
        item.value_json
        for kind, content in records[:20]
        if kind == "run"
        for item in content.config.update
        if item.key == "model"
    } or [""]
    assert "LoRA" in config
