from itertools import pairwise
from threading import Lock
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust_tuning.attacks.dealing import Deal


class Crowd:
    """Processes that share counters, in one."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.counters: dict[str, int] = {}
        self.lock = Lock()

    def member(self, rank: int) -> Any:
        crowd = self

        class Member:
            size = crowd.size

            def __init__(self) -> None:
                self.rank = rank

            def add(self, counter: str, amount: int) -> int:
                with crowd.lock:
                    crowd.counters[counter] = crowd.counters.get(counter, 0) + amount
                    return crowd.counters[counter]

        return Member()


def deals(lists: list[list[int]]) -> list[Deal]:
    crowd = Crowd(len(lists))
    arrays = [np.array(own, dtype=np.int64) for own in lists]
    return [Deal(crowd.member(rank), "a deal", arrays) for rank in range(len(lists))]


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), max_size=60),
)
@settings(max_examples=100, deadline=None)
def test_everything_is_taken_once_in_whatever_order(
    sizes: list[int], calls: list[tuple[int, int]]
) -> None:
    bounds = np.cumsum([0, *sizes])
    lists = [list(range(low, high)) for low, high in pairwise(bounds)]
    players = deals(lists)
    taken = []
    for rank, room in calls:
        part = players[rank % len(players)].take(room)
        assert len(part) <= room
        taken += part.tolist()
    for player in players:  # whoever comes last finds what is left
        while len(part := player.take(2)):
            taken += part.tolist()
    assert sorted(taken) == list(range(bounds[-1]))
    assert all(len(player.take(5)) == 0 for player in players)


def test_ones_own_come_first_and_then_what_others_have_left() -> None:
    mine, yours = deals([[0, 1, 2, 3], [10, 11, 12, 13, 14, 15, 16, 17]])
    assert yours.take(1).tolist() == [10]
    own = [part for _ in range(3) for part in mine.take(9).tolist()]
    assert own == [0, 1, 2, 3]
    assert mine.take(9).tolist()[0] == 11


@pytest.mark.parametrize("size", [2, 5])
def test_what_is_taken_from_others_shrinks_to_one(size: int) -> None:
    thief, *_ = deals([[], list(range(100)), *[[]] * (size - 2)])
    parts = []
    while len(part := thief.take(1000)):
        parts.append(len(part))
    assert parts[0] <= 100 // (2 * size)
    assert parts == sorted(parts, reverse=True)
    assert parts[-2 * size :] == [1] * 2 * size


def test_of_ones_own_half_stays_for_others_to_take() -> None:
    mine, _ = deals([list(range(64)), []])
    assert [len(mine.take(1000)) for _ in range(4)] == [32, 16, 8, 4]
