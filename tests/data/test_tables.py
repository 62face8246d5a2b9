from pathlib import Path

import pytest

from robust_tuning.data.tables import labels_within, read_pairs, read_table
from robust_tuning.errors import DataError


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "list.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_last_space_parts_a_line(tmp_path: Path) -> None:
    path = written(tmp_path, "real/a b/1.jpg 3\n\nreal/c/2.jpg 0")
    assert read_pairs(path) == [("real/a b/1.jpg", "3"), ("real/c/2.jpg", "0")]


def test_windows_line_ends_are_no_part_of_a_word(tmp_path: Path) -> None:
    assert read_pairs(written(tmp_path, "a 1\r\nb 2\r\n")) == [("a", "1"), ("b", "2")]


def test_a_table_is_read_by_number(tmp_path: Path) -> None:
    assert read_table(written(tmp_path, "2 b/2.jpg\n1 a/1.jpg\n")) == {
        "2": "b/2.jpg",
        "1": "a/1.jpg",
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1 a\nlonely\n", r"line 2: 'lonely', expected two words"),
        ("x a\n", r"'x' is no number"),
        ("1 a\n1 b\n", r"a number occurs twice"),
        (b"1 \xff\xfe\n", r"cannot be read"),
    ],
)
def test_a_damaged_list_is_named(tmp_path: Path, text: str | bytes, problem: str) -> None:
    with pytest.raises(DataError, match=rf"list\.txt.*{problem}"):
        read_table(written(tmp_path, text))


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.txt cannot be read .*prepare the benchmark again"):
        read_pairs(tmp_path / "gone.txt")


def test_labels_out_of_range_are_refused() -> None:
    assert labels_within([0, 2], 3, Path("list")).tolist() == [0, 2]
    for odd in (3, -1):
        with pytest.raises(DataError, match=f"1 labels are not in 0 to 2, such as {odd};"):
            labels_within([0, odd], 3, Path("list"))


def test_labels_are_counted_from_zero_whatever_the_list_calls_the_first() -> None:
    assert labels_within(["1", "3"], 3, Path("list"), first=1).tolist() == [0, 2]
    for odd in ("0", "4"):
        with pytest.raises(DataError, match=f"1 labels are not in 1 to 3, such as {odd};"):
            labels_within([odd], 3, Path("list"), first=1)


def test_a_label_that_is_no_number_is_refused() -> None:
    with pytest.raises(DataError, match=r"list: a label is no number \(.*'cat'\)"):
        labels_within(["1", "cat"], 3, Path("list"))
