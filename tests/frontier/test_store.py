import resource
from pathlib import Path

import pytest

from robust_tuning.errors import DataError, RunError
from robust_tuning.frontier import (
    FrontierPoint,
    Run,
    append_point,
    find_runs,
    read_points,
    truncate_points,
)
from robust_tuning.frontier.outcomes import outcomes_path
from tests.frontier.synthetic import make_point, write_run


def write_steps(folder: Path, *steps: int) -> list[FrontierPoint]:
    points = [make_point(step=step) for step in steps]
    for point in points:
        append_point(folder, point)
    return points


def test_points_come_back_in_order(tmp_path: Path) -> None:
    points = write_steps(tmp_path / "new" / "run", 0, 50, 10)
    assert read_points(tmp_path / "new" / "run") == points


def test_a_file_cut_at_any_byte_of_its_last_line_is_read_and_continued(tmp_path: Path) -> None:
    points = write_steps(tmp_path, 0, 50, 100)
    file = tmp_path / "frontier.jsonl"
    whole = file.read_bytes()
    start = whole.rstrip(b"\n").rindex(b"\n") + 1
    for size in range(start, len(whole)):
        file.write_bytes(whole[:size])
        if size > start:
            with pytest.warns(UserWarning, match="line 3 is skipped: torn"):
                assert read_points(tmp_path) == points[:2]
            with pytest.warns(UserWarning, match=f"{size - start} bytes are dropped"):
                append_point(tmp_path, points[2])
        else:
            assert read_points(tmp_path) == points[:2]
            append_point(tmp_path, points[2])
        assert file.read_bytes() == whole


def test_a_file_torn_in_its_first_line_is_read_and_continued(tmp_path: Path) -> None:
    (tmp_path / "frontier.jsonl").write_bytes(b'{"schema": 1, "run"')
    with pytest.warns(UserWarning, match="torn"):
        assert read_points(tmp_path) == []
    with pytest.warns(UserWarning, match="19 bytes are dropped"):
        points = write_steps(tmp_path, 0)
    assert read_points(tmp_path) == points


@pytest.mark.parametrize("damage", [b"\x00\x00\x00", b"{}", b'{"schema": 1', b"\xff"])
def test_a_damaged_line_is_skipped_with_its_number(tmp_path: Path, damage: bytes) -> None:
    points = write_steps(tmp_path, 0, 50)
    file = tmp_path / "frontier.jsonl"
    first, second, _ = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join([first, damage, second, b""]))
    with pytest.warns(UserWarning, match=r"frontier\.jsonl, line 2 is skipped"):
        assert read_points(tmp_path) == points


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    points = write_steps(tmp_path, 0)
    size = (tmp_path / "frontier.jsonl").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))  # room for a part of the line
    try:
        with pytest.raises(OSError, match="too large"):
            append_point(tmp_path, make_point(step=50))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "frontier.jsonl").stat().st_size == size
    assert read_points(tmp_path) == points


def test_a_point_that_cannot_be_stored_leaves_no_trace(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        append_point(tmp_path / "run", make_point(strategy_args={"rank": float("nan")}))
    assert not (tmp_path / "run").exists()


def test_truncating_keeps_the_lines_up_to_a_step_byte_for_byte(tmp_path: Path) -> None:
    write_steps(tmp_path, 0, 50, 100)
    file = tmp_path / "frontier.jsonl"
    # A key of a later version must survive.
    file.write_bytes(file.read_bytes().replace(b'"run"', b'"later": 1, "run"'))
    lines = file.read_bytes().splitlines(keepends=True)
    truncate_points(tmp_path, 50)
    assert file.read_bytes() == b"".join(lines[:2])
    truncate_points(tmp_path, 49)
    assert file.read_bytes() == lines[0]
    truncate_points(tmp_path, -1)
    assert read_points(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["frontier.jsonl"]


def test_truncating_drops_a_torn_line(tmp_path: Path) -> None:
    points = write_steps(tmp_path, 0)
    with (tmp_path / "frontier.jsonl").open("ab") as file:
        file.write(b'{"schema"')
    with pytest.warns(UserWarning, match="torn"):
        truncate_points(tmp_path, 100)
    assert read_points(tmp_path) == points


def test_truncating_nothing_is_no_error(tmp_path: Path) -> None:
    truncate_points(tmp_path, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_newer_file_is_refused_and_never_rewritten(tmp_path: Path) -> None:
    write_steps(tmp_path, 0)
    file = tmp_path / "frontier.jsonl"
    newer = file.read_bytes().replace(b'"schema": 1', b'"schema": 2')
    file.write_bytes(newer)
    with pytest.raises(RunError, match=r"frontier\.jsonl, line 1: .*upgrade"):
        read_points(tmp_path)
    with pytest.raises(RunError):
        truncate_points(tmp_path, -1)
    assert file.read_bytes() == newer


def test_a_folder_without_the_file_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected a run folder"):
        read_points(tmp_path)


def test_a_run_gives_the_outcomes_of_its_points(tmp_path: Path) -> None:
    run = Run(write_run(tmp_path / "run", examples=50, steps=(0, 100)))
    for point in run.points:
        outcomes = run.outcomes(point)
        assert outcomes.clean_correct.mean() == pytest.approx(point.accuracy.value)
        assert list(outcomes.robust) == list(point.robust_accuracy)


def test_outcomes_of_another_evaluation_are_refused(tmp_path: Path) -> None:
    run = Run(write_run(tmp_path / "run", examples=50, steps=(0, 400)))
    outcomes_path(run.folder, 400).replace(outcomes_path(run.folder, 0))
    with pytest.raises(DataError, match="belongs to another evaluation"):
        run.outcomes(run.points[0])
    with pytest.raises(DataError, match="is missing"):
        run.outcomes(run.points[1])


def test_runs_are_found_at_any_depth_and_once(tmp_path: Path) -> None:
    for name in ("b", "a/deep/er", "a/deep/er/again"):
        write_steps(tmp_path / "runs" / name, 0)
    (tmp_path / "runs" / "other").mkdir()
    # A link to a run elsewhere, one back up, and one to a run that is found anyway.
    write_steps(tmp_path / "elsewhere", 0)
    (tmp_path / "runs" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "runs" / "loop").symlink_to(tmp_path / "runs")
    (tmp_path / "runs" / "twin").symlink_to(tmp_path / "runs" / "b")
    found = find_runs([tmp_path / "runs", tmp_path / "runs" / "b", tmp_path / "elsewhere"])
    expected = ["a/deep/er", "a/deep/er/again", "b", "linked"]
    assert [run.folder.relative_to(tmp_path / "runs").as_posix() for run in found] == expected


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_path_without_runs_is_refused_with_a_remedy(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match=rf"{name}: no .*expected a run folder"):
        find_runs([tmp_path / name])
