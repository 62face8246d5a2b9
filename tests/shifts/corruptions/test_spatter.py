import torch

from robust_tuning.shifts.corruptions.draws import Draws
from robust_tuning.shifts.corruptions.spatter import Splash, spatter

GREY = torch.full((2, 3, 48, 48), 90, dtype=torch.uint8)
DRAWS = Draws(torch.tensor([1, 2]), 0)


def test_mud_covers_with_brown() -> None:
    seen = spatter(GREY, DRAWS, Splash(0.65, 0.3, 1, 0.65, 1.5, mud=True))
    covered = seen[:, 2] < 90
    assert 0.05 < covered.float().mean() < 0.6
    share = (90 - seen[:, 2].float()) / 70
    red = 90 - 27 * share
    assert ((seen[:, 0] - red).abs() < 1.6).all()
    # Weights below 0.8 count as none.
    assert (share[covered] > 0.79).all()


def test_water_brightens_with_turquoise() -> None:
    seen = spatter(GREY, DRAWS, Splash(0.65, 0.3, 2, 0.68, 0.5, mud=False)).int()
    added = seen - 90
    assert added.min() == 0
    assert added[:, 1].max() == 119
    assert torch.equal(added[:, 1], added[:, 2])
    assert (added[:, 0] <= added[:, 1]).all()


def test_a_dry_lens_changes_nothing() -> None:
    assert torch.equal(spatter(GREY, DRAWS, Splash(0.1, 0.01, 2, 0.9, 0.5, mud=False)), GREY)
    assert torch.equal(spatter(GREY, DRAWS, Splash(0.1, 0.01, 2, 0.9, 0.5, mud=True)), GREY)
