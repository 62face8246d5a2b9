from pathlib import Path

import pytest

from robust_tuning.frontier import Estimate, append_point, find_runs
from robust_tuning.frontier.comparison import AreaSettings, Panel, compare
from robust_tuning.frontier.differences import Comparisons
from robust_tuning.frontier.recommendation import in_words, recommendation
from robust_tuning.frontier.verdict import Difference
from tests.frontier.synthetic import make_point


@pytest.fixture
def panel(tmp_path: Path) -> Panel:
    for strategy, robust in (("A", 6), ("B", 4), ("C", 2)):
        point = make_point(
            strategy=strategy,
            accuracy=Estimate.of(10, 10),
            robust_accuracy={"linf-1/255": Estimate.of(robust, 10)},
        )
        append_point(tmp_path / strategy, point)
    return compare(find_runs([tmp_path]), AreaSettings())[0].panels[0]


def found(first: bool, second: bool) -> Comparisons:
    return Comparisons(
        (
            Difference("A", "B", 0.2, (0.1 if first else -0.1, 0.5), first),
            Difference("A", "C", 0.4, (0.05 if second else -0.1, 0.7), second),
            Difference("B", "C", 0.2, (-0.1, 0.5), False),
        ),
        2.4,
    )


def test_the_closest_is_the_one_whose_interval_comes_nearest_to_zero(panel: Panel) -> None:
    sentence = recommendation(panel, found(True, True), True, AreaSettings(confidence=0.9))
    assert sentence == (
        "Take A: its area 0.600 is larger than that of every other and 50.0 % above the average of "
        "the strategies, winner included; the closest is C by 0.400 [0.050, 0.700] "
        "(90 % interval, corrected for 3 comparisons); that holds for the models trained, not for "
        "other seeds."
    )


def test_only_those_that_are_not_called_are_named(panel: Panel) -> None:
    sentence = recommendation(panel, found(True, False), True, AreaSettings())
    assert sentence.startswith("The data cannot tell A from C: A has the largest area 0.600, ahead")
    assert "ahead of C by 0.400 [-0.100, 0.700]" in sentence
    sentence = recommendation(panel, found(False, False), True, AreaSettings())
    assert sentence.startswith("The data cannot tell A from B or C: ")


def test_missing_intervals_forbid_a_recommendation(panel: Panel) -> None:
    sentence = recommendation(panel, found(True, True), False, AreaSettings())
    assert sentence.startswith("The data cannot tell which is best: A has the largest area 0.600")


def test_many_names_are_cut() -> None:
    assert in_words(list("ABCDEFGHIJ"), "or") == "A, B, C, D, E, F, G or 3 more"
