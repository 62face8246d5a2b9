from typing import Any

import pytest
import torch

from robust_tuning.data import Digits
from robust_tuning.errors import ConfigurationError
from robust_tuning.plugins import from_spec, spec_of
from robust_tuning.shifts import Corruptions
from robust_tuning.shifts.corruptions import EXTRA, STANDARD, Corruption


def test_the_standard_suite_is_fifteen_corruptions_at_five_severities() -> None:
    sets = Corruptions().sets(Digits(), "validation", 12)
    keys = [one.key for one in sets]
    assert keys == [f"{name}-{severity}" for name in STANDARD for severity in range(1, 6)]
    assert len(STANDARD) == 15
    assert len({id(one.examples) for one in sets}) == 1


def test_words_and_names_can_be_mixed() -> None:
    shift = Corruptions(corruptions=["extra", "fog"], severities=[5, 2])
    keys = [one.key for one in shift.sets(Digits(), "test", 3)]
    assert keys == [f"{name}-{severity}" for name in (*EXTRA, "fog") for severity in (5, 2)]
    assert list(shift.severities) == [5, 2]


class Sized(Digits):
    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def load(self, split: Any) -> Any:
        examples = super().load(split)
        examples.images = torch.zeros(len(examples), 3, self.side, self.side + 9)
        return examples


@pytest.mark.parametrize(("side", "table"), [(32, "cifar"), (84, "cifar"), (96, "imagenet")])
def test_the_table_is_that_of_the_nearer_size_and_is_told(side: int, table: str) -> None:
    (one,) = Corruptions(corruptions=["fog"], severities=[1]).sets(Sized(side), "test", 2)
    assert one.settings == {"table": table, "image_size": [side, side + 9]}
    assert one.transform == Corruption("fog", 1, table)  # type: ignore[arg-type]  # a table


def test_a_table_can_be_chosen() -> None:
    (one,) = Corruptions(corruptions=["fog"], severities=[1], table="imagenet").sets(
        Digits(), "test", 2
    )
    assert one.transform == Corruption("fog", 1, "imagenet")


def test_the_examples_are_those_of_every_evaluation_and_have_its_classes() -> None:
    data = Digits()
    (one,) = Corruptions(corruptions=["fog"], severities=[1]).sets(data, "validation", 7)
    own = data.evaluation_examples("validation", 7)
    assert [int(one.examples[i].indices) for i in range(7)] == [
        int(own[i].indices) for i in range(7)
    ]
    assert one.labels.names == one.labels.classes == data.class_names
    assert not one.findings


def test_it_can_be_written_down() -> None:
    shift = Corruptions(corruptions=["extra"], severities=[3], table="cifar")
    again = from_spec(spec_of(shift))
    assert spec_of(again) == spec_of(shift)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"corruptions": ["rain"]}, "'rain'; choose one of"),
        ({"corruptions": ["standard", "fog"]}, "each once"),
        ({"corruptions": []}, "at least one"),
        ({"severities": [1, 1]}, "each once"),
        ({"severities": [0, 1]}, "changes nothing"),
        ({"severities": [6]}, "severity is 6"),
        ({"table": "stl"}, "expected auto, cifar or imagenet"),
    ],
)
def test_wrong_settings_are_told(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Corruptions(**settings)
