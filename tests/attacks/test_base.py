from dataclasses import fields

import torch
from hypothesis import given
from hypothesis import strategies as st

from robust_tuning.attacks import PGD
from robust_tuning.attacks.base import Targets, margins
from tests.attacks.toys import images


def test_an_examples_key_depends_on_seed_index_stage_and_restart_alone() -> None:
    attack = PGD(seed=3)
    assert attack.example_key(7) == PGD(seed=3, eps="4/255", steps=2).example_key(7)
    keys = {
        attack.example_key(7),
        attack.example_key(8),
        attack.example_key(7, stage=1),
        attack.example_key(7, restart=1),
        PGD(seed=4).example_key(7),
    }
    assert len(keys) == 5


def test_keys_are_the_same_for_ever() -> None:
    assert PGD(seed=0).example_key(0) == 1727489639412339040
    assert PGD(seed=1).example_key(12345, stage=2, restart=3) == 2604720965618596107


@given(st.integers(0, 2**31), st.integers(0, 2**40))
def test_every_key_seeds_a_generator(seed: int, index: int) -> None:
    key = PGD(seed=seed).example_key(index)
    assert torch.Generator().manual_seed(key).initial_seed() == key


def test_rows_and_joining_keep_every_field_of_every_example_together() -> None:
    attack = PGD(eps=0.1)
    pictures, labels = images(5), torch.arange(5)
    keys = torch.tensor([attack.example_key(i) for i in range(5)])
    state = attack.start(Targets(pictures, labels, torch.rand(5, 5), keys))
    state.steps = torch.arange(5) * 10
    state.broken = labels == 2
    first, second = torch.tensor([3, 0]), torch.tensor([4, 1, 2])
    joined = state.rows(first).joined(state.rows(second))
    assert len(joined) == 5
    order = torch.cat([first, second])
    for field in fields(state):
        assert torch.equal(getattr(joined, field.name), getattr(state, field.name)[order])


def test_a_margin_is_the_lead_over_the_best_other_class() -> None:
    logits = torch.tensor([[3.0, 1.0, 2.5], [3.0, 1.0, 2.5], [0.0, float("nan"), 0.0]])
    labels = torch.tensor([0, 2, 0])
    assert margins(logits, labels).tolist() == [0.5, -0.5, -float("inf")]


def test_a_tie_is_no_lead() -> None:
    logits = torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    labels = torch.tensor([0, 1])
    assert margins(logits, labels).tolist() == [0.0, 0.0]
