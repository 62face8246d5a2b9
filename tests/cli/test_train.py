"""`fit`, `validate` and `test`: where a run goes, what it writes, how it is continued."""

import json
import os
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # has no annotations

from robust_tuning.frontier import FrontierPoint, Run, read_points
from tests.cli.conftest import QUICK, Command


def comparable(points: list[FrontierPoint]) -> list[dict[str, object]]:
    """Points without what tells two equal runs apart."""
    own = ("run", "time", "config_hash", "cost")
    rows = [json.loads(point.to_json()) for point in points]
    return [{key: value for key, value in row.items() if key not in own} for row in rows]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_fit_ends_with_the_frontier_its_area_and_its_plot(command: Command) -> None:
    answer = command(*QUICK)
    folder = Path("runs/digits-lora-seed0")
    assert answer.status == 0, answer.err
    assert "ROBUST_TUNING_RUN_FOLDER" not in os.environ, "what is begun from here has its own"
    assert [point.step for point in read_points(folder)] == [0, 2, 3]
    lines = [line for line in answer.out.splitlines() if "(validation)" in line]
    assert len(lines) == 3
    assert all(line.endswith(" s") for line in lines), "a point is one line, however long"
    table = answer.out[answer.out.index("digits-lora-seed0 ·") :]
    assert [line.split()[0] for line in table.splitlines() if line[:4].strip().isdigit()] == [
        "0",
        "2",
        "3",
    ]
    assert "linf-2/255: area ." in table
    assert "linf-8/255: area ." in table
    plots = [line.split()[1] for line in table.splitlines() if line.startswith("plot:")]
    assert plots
    assert all(Path(plot).is_file() for plot in plots)
    names = {name.split("/")[0] for name in contents(folder)}
    assert names >= {"config.yaml", "frontier.jsonl", "outcomes", "trajectory", "checkpoints"}
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"last.ckpt", "best.ckpt"}
    assert len(list((folder / "trajectory").iterdir())) == 3


def test_runs_are_numbered_and_the_latest_is_continued(command: Command) -> None:
    assert command(*QUICK).status == 0
    assert command(*QUICK).status == 0
    first, second = Path("runs/digits-lora-seed0"), Path("runs/digits-lora-seed0-2")
    untouched = contents(first)
    assert comparable(read_points(first)) == comparable(read_points(second))
    longer = command(*QUICK, "--trainer.max_epochs", "2", "--ckpt_path", "last")
    assert longer.status == 0, longer.err
    assert [p.step for p in read_points(second)] == [0, 2, 3, 6]
    assert contents(first) == untouched
    assert len(list(Path("runs").iterdir())) == 2


def test_a_folder_with_a_run_is_refused_before_anything_is_touched(command: Command) -> None:
    assert command(*QUICK, "--run", "mine").status == 0
    before = contents(Path("mine"))
    answer = command(*QUICK, "--run", "mine", "--model.lr", "0.1")
    assert answer.status == 1
    assert "mine holds a run already" in answer.err
    assert "--ckpt_path last" in answer.err
    assert answer.err.count("\n") == 1
    assert contents(Path("mine")) == before


def test_a_run_killed_before_its_first_checkpoint_begins_anew(command: Command) -> None:
    assert command(*QUICK, "--run", "mine").status == 0
    whole = comparable(read_points(Path("mine")))
    for file in Path("mine/checkpoints").iterdir():
        file.unlink()
    answer = command(*QUICK, "--run", "mine", "--ckpt_path", "last")
    assert answer.status == 0, answer.err
    assert "no checkpoint in mine yet: beginning" in answer.out
    assert comparable(read_points(Path("mine"))) == whole


def test_a_finished_run_can_be_continued_to_no_effect(command: Command) -> None:
    assert command(*QUICK, "--run", "mine").status == 0
    line = Path("mine/frontier.jsonl").read_bytes()
    states = contents(Path("mine/trajectory"))
    assert command(*QUICK, "--run", "mine", "--ckpt_path", "last").status == 0
    assert Path("mine/frontier.jsonl").read_bytes() == line
    assert contents(Path("mine/trajectory")) == states


def test_validate_and_test_evaluate_a_checkpoint(command: Command) -> None:
    assert command(*QUICK, "--run", "mine").status == 0
    options = QUICK[1:]
    for verb, split in (("validate", "validation"), ("test", "test")):
        for checkpoint in ("last", "best", "mine/checkpoints/last.ckpt"):
            answer = command(verb, *options, "--run", "mine", "--ckpt_path", checkpoint)
            assert answer.status == 0, answer.err
            assert f"({split})" in answer.out
    points = read_points(Path("mine"))
    # The validation of the final state is known already; its test is recorded once.
    assert [(p.step, p.split) for p in points][:4] == [
        (0, "validation"),
        (2, "validation"),
        (3, "validation"),
        (3, "test"),
    ]
    assert len(points) == 4
    assert all(Run(Path("mine")).outcomes(point) for point in points)


def test_evaluating_needs_a_checkpoint(command: Command) -> None:
    for words in ([], ["--run", "nowhere", "--ckpt_path", "last"], ["--ckpt_path", "none.ckpt"]):
        answer = command("test", *QUICK[1:], *words)
        assert answer.status == 2
        assert "--ckpt_path" in answer.err
        assert answer.err.count("\n") == 1
        assert not Path("nowhere").exists()


def test_a_resolved_configuration_gives_itself_and_the_same_frontier(command: Command) -> None:
    assert command(*QUICK, "--run", "first").status == 0
    text = Path("first/config.yaml").read_text()
    assert "4/255" not in text
    assert "8/255" in text
    Path("again.yaml").write_text(text)
    answer = command("fit", "--config", "again.yaml", "--run", "second")
    assert answer.status == 0, answer.err
    first, second = (
        yaml.safe_load(Path(f"{n}/config.yaml").read_text()) for n in ("first", "second")
    )
    assert first.pop("run") == "first"
    assert second.pop("run") == "second"
    for config in (first, second):
        config["trainer"].pop("default_root_dir")
    assert first == second
    assert comparable(read_points(Path("first"))) == comparable(read_points(Path("second")))


@pytest.mark.parametrize(
    "words",
    [("--model.strategy", "BitFit"), ("--config", "configs/strategies/bitfit.yaml")],
    ids=["flag", "overlay"],
)
def test_the_strategy_changes_by_one_option(command: Command, words: tuple[str, ...]) -> None:
    assert command(*QUICK, *words).status == 0
    points = read_points(Path("runs/digits-bitfit-seed0"))
    assert {point.strategy for point in points} == {"BitFit"}


def test_a_bug_in_a_run_keeps_its_traceback(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        message = "a bug"
        raise ValueError(message)

    monkeypatch.setattr("robust_tuning.tuner.RobustTuner.training_step", broken)
    with pytest.raises(ValueError, match="a bug"):
        command(*QUICK)


def test_a_sweeps_seed_reaches_model_data_and_name(command: Command) -> None:
    assert command(*QUICK, "--seed_everything", "3").status == 0
    [*_, last] = read_points(Path("runs/digits-lora-seed3"))
    assert last.seed == 3
    config = yaml.safe_load(Path("runs/digits-lora-seed3/config.yaml").read_text())
    assert config["seed_everything"] == 3
