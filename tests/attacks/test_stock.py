from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from robust_tuning.attacks.base import AttackState
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.pool import Pool, Slots
from robust_tuning.attacks.stock import Classified, OwnStock, SharedStock, shares
from robust_tuning.processes import Processes
from tests.attacks.test_pool import Countdown, waiting
from tests.attacks.toys import batches, images
from tests.gloo import InMemory, in_processes

N = 40


def pool_of(ended: list[int]) -> tuple[Countdown, Pool]:
    def on_end(positions: Tensor, _: AttackState) -> None:
        ended.extend(positions.tolist())

    attack = Countdown()
    slots = Slots(3, torch.device("cpu"))
    return attack, Pool(Oracle(lambda x: x.flatten(1)), attack, slots, on_end)


def test_a_stock_of_ones_own_hands_out_what_is_active() -> None:
    stock, ended = OwnStock(), list[int]()
    for first in (0, 4):
        stock.put(waiting([1, 2, 3, 1], first))
    assert len(stock) == 8
    _, pool = pool_of(ended)
    active = np.isin(np.arange(8), [1, 2, 6])
    list(stock.work(active, pool.feed, pool))
    assert sorted(ended) == [1, 2, 6]


def test_shares_hold_every_example_once_and_part_neighbours() -> None:
    found = shares(np.array([0, 1, 2, 5, 7, 9]), Processes(0, 3))
    assert [part.tolist() for part in found] == [[0, 9], [1, 7], [2, 5]]


def test_answers_come_back_into_the_order_of_the_examples() -> None:
    def part(places: list[int]) -> Classified:
        column = torch.tensor(places)
        return Classified(column, column[:, None].double(), column + 100)

    places = [np.array([0, 2, 4]), np.array([1, 3])]
    whole = Classified.interleaved([[part([0, 2]), part([4])], [part([1, 3])]], places)
    assert whole.labels.tolist() == [0, 1, 2, 3, 4]
    assert whole.logits.flatten().tolist() == [0, 1, 2, 3, 4]
    assert whole.indices.tolist() == [100, 101, 102, 103, 104]


def work(processes: Processes) -> tuple[list[int], list[int], list[int], bool]:
    pictures, steps = images(N), torch.tensor([1, 40] * (N // 2))
    source = InMemory(batches(pictures, steps), 4)
    own = shares(np.arange(N), processes)[processes.rank].tolist()
    answers = Classified(steps, torch.zeros(N, 41), torch.arange(N) + 100)
    held = {place: pictures[place] for place in own}
    stock = SharedStock(processes, source, held, answers)
    ended: list[int] = []
    attack, pool = pool_of(ended)
    right = True

    def feed(some: object) -> None:
        nonlocal right
        right &= torch.equal(some.images, pictures[some.positions])  # type: ignore[attr-defined]
        pool.feed(some)  # type: ignore[arg-type]

    with processes.together():
        list(stock.work(np.arange(N) != 3, feed, pool))
        processes.gather(None)
    return ended, attack.keys, source.fetched, right


def test_what_one_process_has_not_begun_another_does(tmp_path: Path) -> None:
    # Those of the second process take forty times as long.
    results = in_processes(2, work, tmp_path)
    ended = [place for found, *_ in results for place in found]
    assert sorted(ended) == [place for place in range(N) if place != 3]
    for found, keys, fetched, right in results:
        assert right
        assert len(keys) == len(found)
        assert len(fetched) == len(set(fetched))
    by_first, _, fetched, _ = results[0]
    assert set(fetched) == {place for place in by_first if place % 2}
