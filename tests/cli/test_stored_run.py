from pathlib import Path

import pytest

from robust_tuning.cli.stored_run import build_data, read_config
from robust_tuning.errors import RunError


def test_a_configuration_is_read_and_its_benchmark_built(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "data: {class_path: robust_tuning.data.Digits, init_args: {batch_size: 7}}"
    )
    data = build_data(read_config(tmp_path)["data"])
    assert (data.benchmark, data.batch_size) == ("Digits", 7)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("a: [", "cannot be read"),
        ("- 3", "does not say which benchmark"),
        ("model: 3", "does not say which benchmark"),
    ],
)
def test_what_says_nothing_is_refused(content: str | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(RunError, match=words):
        read_config(tmp_path)
