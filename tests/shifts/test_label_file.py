from pathlib import Path

import pytest

from robust_tuning.errors import ConfigurationError
from robust_tuning.shifts.label_file import read_label_file


def written(folder: Path, content: str | bytes) -> str:
    path = folder / "map.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def test_names_and_nulls(tmp_path: Path) -> None:
    content = "hound: dog  # a comment\n'no': cat\nmonkey: null\nape: ~\nbat:\n"
    content += "'01': '7'\n1.2.3: x\n1e3: y\n"
    assert read_label_file(written(tmp_path, content)) == {
        "hound": "dog",
        "no": "cat",
        "monkey": None,
        "ape": None,
        "bat": None,
        "01": "7",
        "1.2.3": "x",
        "1e3": "y",
    }
    assert read_label_file(written(tmp_path, "{}")) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is no mapping; expected lines such as 'hound: dog'"),
        ("- hound\n- dog\n", "is no mapping"),
        ("hound", "is no mapping"),
        ("a: b\nno: cat\n", r"line 2: 'no' is a bool to YAML, expected a name; .*: \"no\""),
        ("7: cat\n", r"line 1: '7' is a int to YAML"),
        ("007: cat\n", r"'007' is a int to YAML, .*: \"007\""),
        ("2020-01-01: cat\n", "is a timestamp to YAML"),
        ("null: cat\n", "'null' is a null to YAML"),
        ("cat: yes\n", r"line 1: 'yes' is a bool to YAML"),
        ("cat: 3\n", "'3' is a int to YAML"),
        ("cat: [dog]\n", "line 1: a sequence, where a name was expected"),
        ("a: b\ncat: {x: y}\n", "line 2: a mapping, where a name was expected"),
        ("? [a]\n: b\n", "a sequence, where a name was expected"),
        ("a: b\nc: d\na: e\n", "line 3: 'a' occurs twice"),
        ("a: b\n'a': b\n", "line 2: 'a' occurs twice"),
        ("a: b: c\n", "is no YAML file: mapping values are not allowed here"),
        ("a: 'b\n", "is no YAML file"),
        ("a: b\n---\nc: d\n", "is no YAML file: expected a single document"),
        ("a: *nothing\n", "is no YAML file: found undefined alias"),
        ("!!python/object/apply:os.abort []\n", "is no mapping"),
        ("a: !!python/object/apply:os.abort []\n", "a sequence, where a name"),
        ("!!python/name:os.abort : b\n", "to YAML, expected a name"),
        ("<<: {a: b}\n", "'<<' is a merge to YAML"),
        (b"\xff\xfea: b", "is no YAML file"),
        (b"a: \x00", "is no YAML file"),
        ("[" * 5000, "is no YAML file"),
        ("a: &a [x, x]\nb: [*a, *a]\n", "line 1: a sequence"),
    ],
)
def test_everything_else_is_one_line(tmp_path: Path, content: str | bytes, said: str) -> None:
    file = written(tmp_path, content)
    with pytest.raises(ConfigurationError, match=said) as error:
        read_label_file(file)
    assert str(error.value).startswith(f"the label map {file}")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml cannot be read \(No such file"):
        read_label_file(str(tmp_path / "none.yaml"))
