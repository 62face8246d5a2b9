import numpy as np
import pytest
import torch

from robust_tuning.shifts.corruptions.draws import Draws
from robust_tuning.shifts.corruptions.glass import glass_blur, walk_sources
from tests.shifts.corruptions.pictures import pictures


def walked(down: np.ndarray, right: np.ndarray, reach: int) -> np.ndarray:
    """The walk itself, pixel by pixel."""
    height, width = down.shape
    held = np.arange(height * width).reshape(height, width)
    for row in range(height - reach, reach, -1):
        for column in range(width - reach, reach, -1):
            held[row, column] = held[row + down[row, column], column + right[row, column]]
    return held.ravel()


@pytest.mark.parametrize("reach", [1, 2, 4])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (20, 33)])
def test_all_chains_end_where_the_walk_would_take_them(reach: int, height: int, width: int) -> None:
    moves = Draws(torch.arange(4), 0).below(0, 2 * reach, 2, height, width) - reach
    down, right = moves.unbind(1)
    sources = walk_sources(down, right, reach).numpy()
    for row, below, beside in zip(sources, down.numpy(), right.numpy(), strict=True):
        assert np.array_equal(row, walked(below, beside, reach))


def test_a_chain_may_cross_the_whole_image() -> None:
    down, right = torch.zeros(1, 16, 400, dtype=torch.int64), torch.ones(1, 16, 400).long()
    sources = walk_sources(down, right, 2).reshape(16, 400)
    assert (sources[8, 3:399] == 8 * 400 + 399).all()
    assert sources[8, 2] == 8 * 400 + 2


def test_pixels_only_change_places_within_reach() -> None:
    # A ramp so slow that no blur of this sigma changes it, in whole levels.
    image = torch.arange(64, dtype=torch.uint8).expand(1, 3, 64, 64).contiguous() * 4
    seen = glass_blur(image, Draws(torch.tensor([5]), 0), (0.05, 2, 1))
    moved = (seen.int() - image.int()) // 4
    assert moved.min() < -2
    assert moved.max() >= 1
    assert not moved[..., :3].any()
    assert not moved[..., -1:].any()


def test_channels_move_together() -> None:
    image = torch.from_numpy(pictures(1, 32, 32))
    image[:, 1:] = image[:, :1]
    seen = glass_blur(image, Draws(torch.tensor([5]), 0), (0.7, 1, 2))
    assert torch.equal(seen[:, 0], seen[:, 1])
    assert not torch.equal(seen, image)
