import itertools

import pytest

from robust_tuning.data.check_duplicates import Occurrence, find_duplicates
from robust_tuning.data.check_report import ACROSS_SPLITS, CONFLICTING, DUPLICATE, Kind


def seen(file: str, split: str, label: str, content: bytes = b"same") -> Occurrence:
    return Occurrence(file, split, label, content)


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (("train", "ant"), DUPLICATE),
        (("test", "ant"), ACROSS_SPLITS),
        (("train", "bee"), CONFLICTING),
        (("test", "bee"), CONFLICTING),
    ],
)
def test_a_pair_is_called_by_the_worst(second: tuple[str, str], kind: Kind) -> None:
    others = [seen("c", "train", "ant", b"c"), seen("d", "test", "bee", b"d")]
    pair = [seen("b", *second), seen("a", "train", "ant")]
    (finding,) = find_duplicates([*others, *pair])
    assert finding.kind == kind
    assert finding.files == ("a", "b")
    assert finding.detail == f"ant in train, {second[1]} in {second[0]}"


def test_a_group_is_one_finding_in_whichever_order() -> None:
    group = [seen("a", "train", "ant"), seen("b", "train", "ant"), seen("c", "test", "ant")]
    for order in itertools.permutations(group):
        (finding,) = find_duplicates(order)
        assert (finding.kind, finding.files) == (ACROSS_SPLITS, ("a", "b", "c"))


def test_a_file_listed_twice_is_a_duplicate_of_itself() -> None:
    (finding,) = find_duplicates([seen("a", "train", "ant"), seen("a", "test", "ant")])
    assert (finding.kind, finding.files) == (ACROSS_SPLITS, ("a", "a"))


def test_different_images_are_no_duplicates() -> None:
    assert not find_duplicates([seen("a", "train", "ant"), seen("b", "train", "ant", b"other")])
