import torch

from robust_tuning.attacks.apgd_state import begun, noted, where_rows
from robust_tuning.attacks.base import Targets
from tests.attacks.toys import images

PICTURES = images(3)
TARGETS = Targets(PICTURES, torch.tensor([0, 1, 2]), torch.eye(3).double(), torch.arange(3))


def test_nothing_has_been_seen_before_the_first_pass() -> None:
    start = PICTURES * 0.9
    state = begun(TARGETS, torch.tensor([1, 2, 0]), start)
    assert torch.equal(state.adversarial, start)
    assert torch.equal(state.iterate, start)
    assert state.inside.all()
    assert (state.best_loss == -torch.inf).all()
    assert not (state.broken | state.spent).any()
    assert state.targets.tolist() == [1, 2, 0]


def test_a_start_outside_of_the_ball_is_not_what_would_be_reported() -> None:
    state = begun(TARGETS, TARGETS.labels, PICTURES * 0.1, inside=False)
    assert torch.equal(state.adversarial, PICTURES)
    assert torch.equal(state.iterate, PICTURES * 0.1)
    assert not state.inside.any()


def test_the_iterate_of_the_largest_loss_is_remembered_with_its_gradient() -> None:
    state = begun(TARGETS, TARGETS.labels, PICTURES)
    state = noted(state, torch.tensor([1.0, 2.0, 3.0]), PICTURES)
    state.iterate = 2 * PICTURES
    after = noted(state, torch.tensor([1.5, 1.0, 3.0]), 3 * PICTURES)
    better = torch.tensor([True, False, False])  # what is only as good is not the best
    assert torch.equal(after.best, where_rows(better, 2 * PICTURES, PICTURES))
    assert torch.equal(after.best_gradient, where_rows(better, 3 * PICTURES, PICTURES))
    assert after.best_loss.tolist() == [1.5, 2, 3]
    assert state.best_loss.tolist() == [1, 2, 3]


def test_a_loss_that_is_no_number_is_not_the_largest() -> None:
    state = begun(TARGETS, TARGETS.labels, PICTURES)
    after = noted(state, torch.full((3,), torch.nan), PICTURES)
    assert (after.best_loss == -torch.inf).all()
