import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust_tuning.frontier.shift_layout import ShiftLayout


@given(st.lists(st.sampled_from(["fog", "jpeg_compression", "v6-x"]), min_size=1, unique=True),
       st.lists(st.integers(1, 5), min_size=1, unique=True),
       st.sampled_from(["", "cifar10c-"]), st.sampled_from(["", "/linf-1/255"]))  # fmt: skip
def test_corruptions_are_taken_apart(
    names: list[str], levels: list[int], prefix: str, threat: str
) -> None:
    shift = (prefix.removesuffix("-") or "corruptions") + threat
    keys = [f"{prefix}{name}-{level}{threat}" for name in names for level in levels]
    layout = ShiftLayout.of(shift, keys)
    assert layout.keys == tuple(keys)
    assert list(layout.groups) == names
    assert list(layout.severities) == sorted(levels)
    assert layout.threat == threat.removeprefix("/")
    for position, key in enumerate(keys):
        group, severity = layout.group_of(position), layout.severity_of(position)
        assert key == f"{prefix}{group}-{severity}{threat}"


@pytest.mark.parametrize(
    ("shift", "keys", "groups"),
    [
        ("domain", ["domain-sketch", "domain-real-1"], ["sketch", "real-1"]),
        ("stl10", ["stl10"], ["stl10"]),
        ("cifar10.1", ["cifar10.1-v6"], ["v6"]),
        ("corruptions", ["fog-6", "fog-1"], ["fog-6", "fog-1"]),
    ],
)
def test_sets_without_severity_are_groups(shift: str, keys: list[str], groups: list[str]) -> None:
    layout = ShiftLayout.of(shift, keys)
    assert list(layout.groups) == groups
    assert layout.severities == {}
    assert layout.severity_of(0) is None


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["a-1", "a-2", "b-1", "b-2"], "2 corruptions x 2 severities"),
        (["a-3", "b-3"], "2 corruptions x severity 3"),
        (["a-3"], "1 corruption x severity 3"),
        (["a-1", "a-2", "b-1"], "2 corruptions, 3 sets"),
        (["a", "b"], "2 sets"),
        (["a"], "1 set"),
    ],
)
def test_the_words_count(keys: list[str], words: str) -> None:
    assert ShiftLayout.of("corruptions", keys).words == words
