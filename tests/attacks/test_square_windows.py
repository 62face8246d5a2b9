import pytest
import torch
from pyautoattack.square import SquareAttack

from robust_tuning.attacks.square_windows import bump, bumps, stamped, windows
from robust_tuning.types import Norm


@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("side", range(2, 34))
def test_a_bump_is_the_references(side: int, norm: Norm) -> None:
    official = SquareAttack(None, norm=norm.upper(), eps=1.0, device="cpu").eta(side)
    upright = official if official[0, -1] > 0 else official.T  # it turns half of them
    assert torch.allclose(bump(side, norm).float(), upright, atol=1e-5)


def test_windows_have_their_side_and_lie_with_equal_chance_wherever_they_fit() -> None:
    across = (torch.arange(600, dtype=torch.float64) + 0.5) / 600
    numbers = torch.stack([across, across.flip(0)], dim=1)
    for side in (1, 3, 5):
        found = windows(numbers, torch.full((600,), side), 7, 5)
        assert found.mask.shape == (600, 1, 7, 5)
        assert (found.mask.sum((1, 2, 3)) == side**2).all()
        tops = found.mask[:, 0].any(2).int().argmax(1).bincount()
        lefts = found.mask[:, 0].any(1).int().argmax(1).bincount()
        assert len(tops) == 7 - side + 1
        assert len(lefts) == 5 - side + 1
        assert tops.max() - tops.min() <= 1
        assert lefts.max() - lefts.min() <= 1


def test_patterns_of_several_sides_are_stamped_at_once() -> None:
    sides = (5, 2)
    which, turned = torch.tensor([0, 1, 1]), torch.tensor([False, False, True])
    numbers = torch.tensor([[0.0, 0.99], [0.99, 0.0], [0.5, 0.5]], dtype=torch.float64)
    where = windows(numbers, torch.tensor(sides)[which], 6, 8)
    picture = (
        stamped(bumps(sides, "l2", torch.float64, torch.device("cpu")), which, turned, where)
        * where.mask
    )[:, 0]
    assert torch.equal(picture[0, 0:5, 3:8], bump(5, "l2"))
    assert torch.equal(picture[1, 4:6, 0:2], bump(2, "l2"))
    assert torch.equal(picture[2, 2:4, 3:5], bump(2, "l2").T)
    assert torch.allclose(picture.norm(dim=(1, 2)), torch.ones(3, dtype=torch.float64))
