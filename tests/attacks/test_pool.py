from dataclasses import replace

import torch
from torch import Tensor

from robust_tuning.attacks.base import Attack, AttackState, Budget, Targets, initial
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.pool import Pool, Slots, Waiting
from robust_tuning.attacks.threat import ThreatModel
from tests.attacks.toys import images

CPU = torch.device("cpu")


class Countdown(Attack):
    """Takes as many steps as an example's label says; odd ones are broken by the last."""

    def __init__(self) -> None:
        self.threat = ThreatModel("linf", 0.1)
        self.seed = 0
        self.sizes: list[int] = []
        self.keys: list[int] = []

    @property
    def budget(self) -> Budget:
        return Budget(0, 0)

    def start(self, targets: Targets) -> AttackState:
        self.keys += targets.keys.tolist()
        return initial(targets, targets.images)

    def step(self, model: Oracle, state: AttackState) -> AttackState:
        self.sizes.append(len(state))
        steps = state.steps + 1
        done = steps >= state.labels
        odd = state.labels % 2 == 1
        return replace(state, steps=steps, broken=done & odd, spent=done & ~odd)


def waiting(labels: list[int], first: int = 0) -> Waiting:
    n = len(labels)
    places = torch.arange(first, first + n)
    return Waiting(images(n), torch.tensor(labels), torch.zeros(n, 10), places, places + 100)


def run(labels: list[int], slots: int) -> tuple[Countdown, list[tuple[int, int]]]:
    attack, ended = Countdown(), []

    def on_end(positions: Tensor, state: AttackState) -> None:
        ended.extend(zip(positions.tolist(), state.steps.tolist(), strict=True))

    pool = Pool(Oracle(lambda x: x.flatten(1)), attack, Slots(slots, CPU), on_end)
    pool.feed(waiting(labels))
    list(pool.work(drain=True))
    return attack, ended


def test_every_example_leaves_once_after_its_own_steps() -> None:
    labels = [3, 1, 4, 1, 5, 9, 2, 6]
    for slots in (1, 3, 8, 20):
        _, ended = run(labels, slots)
        assert sorted(ended) == list(enumerate(labels))


def test_a_free_slot_is_taken_at_once() -> None:
    attack, _ = run([1, 5, 1, 1, 1, 1], slots=2)
    # The long one keeps its slot; the others pass through the second.
    assert attack.sizes == [2, 2, 2, 2, 2]


def test_without_draining_slots_stay_full() -> None:
    attack = Countdown()
    pool = Pool(Oracle(lambda x: x.flatten(1)), attack, Slots(3, CPU), lambda *_: None)
    pool.feed(waiting([2, 2]))
    assert list(pool.work(drain=False)) == []
    pool.feed(waiting([2, 2], first=2))
    list(pool.work(drain=False))
    assert set(attack.sizes) == {3}
    list(pool.work(drain=True))
    assert attack.sizes[-1] < 3


def test_an_empty_batch_is_no_work() -> None:
    attack, ended = run([], slots=2)
    assert (attack.sizes, ended) == ([], [])


def test_a_key_belongs_to_the_identity_and_the_stage() -> None:
    attack = Countdown()
    pool = Pool(Oracle(lambda x: x.flatten(1)), attack, Slots(3, CPU), lambda *_: None, stage=2)
    pool.feed(waiting([1, 1]))
    list(pool.work(drain=True))
    assert attack.keys == [attack.example_key(100, 2), attack.example_key(101, 2)]
