import numpy as np
import torch

from robust_tuning.shifts.corruptions.draws import Draws
from robust_tuning.shifts.corruptions.frost import frost
from robust_tuning.shifts.corruptions.frost_textures import SIDE, TEXTURES, texture


def test_a_part_of_a_texture_is_added() -> None:
    draws = Draws(torch.arange(5), 7)
    image = torch.full((5, 3, 20, 30), 100, dtype=torch.uint8)
    seen = frost(image, draws, (0.5, 0.4, 1)).numpy()
    for number in range(5):
        which = int(draws.below(0, 5, 1)[number])
        top, left = (int(draws.below(i, SIDE, 1)[number]) for i in (1, 2))
        turned = np.roll(texture(which), (-top, -left), (1, 2))[:, :20, :30]
        assert np.abs(seen[number] - (50 + 0.4 * turned - 0.5)).max() < 0.51


def test_reduced_textures_have_every_fifth_pixel_and_repeat() -> None:
    black = torch.zeros(1, 3, 16, 300, dtype=torch.uint8)
    seen = frost(black, Draws(torch.tensor([3]), 0), (1.0, 1.0, 5)).numpy()[0]
    assert np.array_equal(seen[..., :172], seen[..., 128:])
    which = int(Draws(torch.tensor([3]), 0).below(0, 5, 1))
    small = texture(which)[:, 2::5, 2::5]
    tiled = np.tile(small, (1, 2, 1))
    rows = [row for row in range(128) if set(seen[0, 0]) == set(tiled[0, row])]
    assert any(np.array_equal(np.sort(seen[0, 1, :128]), np.sort(tiled[0, r + 1])) for r in rows)


def test_all_five_textures_are_used() -> None:
    black = torch.zeros(200, 3, 16, 16, dtype=torch.uint8)
    draws = Draws(torch.arange(200), 0)
    frost(black, draws, (1.0, 1.0, 1))
    assert set(draws.below(0, len(TEXTURES), 1).flatten().tolist()) == set(range(5))
