import pytest

from robust_tuning.callbacks import Schedule
from robust_tuning.errors import ConfigurationError


def due(schedule: Schedule, until: int) -> list[int]:
    return [step for step in range(until + 1) if schedule.due(step)]


def test_the_paper_preset_is_the_published_list() -> None:
    steps = due(Schedule("paper"), 21_000)
    expected = [0, *range(50, 701, 50), 1_000, 2_000, 3_000, 6_000, 12_000, 18_000]
    assert steps == expected


def test_the_preset_of_the_studys_code_is_its_own() -> None:
    steps = due(Schedule("paper-code"), 60_000)
    expected = [0, 50, 100, *range(120, 301, 30), 400, 600, 800, 1_000, 2_000, 4_000, 8_000]
    assert steps == [*expected, 12_000, 18_000, 24_000, 30_000, 40_000, 60_000]


def test_arguments_come_on_top_of_a_preset() -> None:
    schedule = Schedule("paper", start=False, steps=(3, 49), every_n_steps=40)
    assert due(schedule, 121) == [3, 40, 49, 50, 80, 100, 120]


def test_without_anything_only_the_ends_are_left() -> None:
    assert due(Schedule(), 1_000) == [0]
    assert due(Schedule("epoch"), 1_000) == [0]
    assert Schedule("epoch").at_epoch_ends
    assert not Schedule("paper").at_epoch_ends


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "papper"}, "epoch, paper, paper-code"),
        ({"steps": (0,)}, "positive"),
        ({"every_n_steps": -1}, "positive"),
        ({"every_n_steps": 0}, "positive"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Schedule(**arguments)  # type: ignore[arg-type]  # on purpose
