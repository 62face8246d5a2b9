import numpy as np
import pytest

from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.shifts import LabelMap

CLASSES = ("cat", "dog", "frog")


def test_classes_go_by_their_names_unless_they_are_renamed() -> None:
    names = ("hound", "monkey", "cat", "puppy")
    renamed = {"hound": "dog", "puppy": "dog", "monkey": None}
    mapped = LabelMap.by_name(names, CLASSES, renamed)
    assert mapped.targets == (1, -1, 0, 1)
    assert mapped.covered == (0, 1)
    assert mapped.answers is None
    positions, labels = mapped.apply(np.array([0, 1, 2, 3, 1, 2]))
    assert positions.tolist() == [0, 2, 3, 5]
    assert labels.tolist() == [1, 0, 1, 0]


def test_masked_classes_are_no_answers() -> None:
    mapped = LabelMap.by_name(("dog", "cat"), CLASSES, masked=True)
    assert mapped.answers == (0, 1)


def test_what_is_not_one_to_one_is_said() -> None:
    renamed = {"monkey": None}
    mapped = LabelMap.by_name(("cat", "dog", "monkey"), CLASSES, renamed, masked=True)
    assert mapped.findings(np.array([0, 2, 2])) == [
        "2 images of 1 classes without a counterpart are left out ('monkey')",
        "1 classes have no images ('dog')",
        "1 classes of the benchmark do not occur and are masked ('frog')",
    ]
    assert LabelMap.identity(CLASSES).findings(np.array([0, 1, 2])) == []


@pytest.mark.parametrize(
    ("names", "renamed", "said"),
    [
        (("cat", "dgo"), {}, r"'dgo' would become 'dgo'.*did you mean 'dog'.*or null"),
        (("cat", "hound"), {"hound": "dogs"}, r"'hound' would become 'dogs'.*did you mean 'dog'"),
        (("cat",), {"hund": "dog"}, "mine.yaml names 'hund', which the set does not have"),
        (("cat",), {"cat": None}, "leads to no class at all"),
    ],
)
def test_names_that_do_not_exist_are_refused(
    names: tuple[str, ...], renamed: dict[str, str | None], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        LabelMap.by_name(names, CLASSES, renamed, where="mine.yaml")


def test_labels_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="label 3"):
        LabelMap(("a",), CLASSES, (3,))
    with pytest.raises(ConfigurationError, match="2 targets for 1 classes"):
        LabelMap(("a",), CLASSES, (0, 1))
    with pytest.raises(DataError, match="from 0 to 3, expected 0 to 2"):
        LabelMap.identity(CLASSES).apply(np.array([0, 3]))
