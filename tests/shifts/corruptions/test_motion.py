import math

import numpy as np
import pytest
import torch

from robust_tuning.shifts.corruptions.draws import Draws
from robust_tuning.shifts.corruptions.motion import motion_blur, smeared
from tests.shifts.corruptions.pictures import pictures


def along(image: np.ndarray, radius: int, sigma: float, angle: float) -> np.ndarray:
    """Pixel by pixel, places beyond the border moved onto it."""
    height, width = image.shape
    weights = np.exp(-(np.arange(2 * radius + 1) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    total = np.zeros_like(image)
    rows, columns = np.mgrid[:height, :width]
    for step, weight in enumerate(weights):
        down = math.ceil(step * math.sin(math.radians(angle)) - 0.5)
        right = math.ceil(step * math.cos(math.radians(angle)) - 0.5)
        total += (
            weight
            * image[np.clip(rows + down, 0, height - 1), np.clip(columns + right, 0, width - 1)]
        )
    return total


@pytest.mark.parametrize("angle", [0.0, 30.0, -45.0, -100.0])
def test_it_averages_along_the_line(angle: float) -> None:
    image = pictures(1, 20, 33)[:, :2].astype(np.float32)
    # A kernel longer than the image is wide.
    ours = smeared(torch.from_numpy(image), 20, 15, torch.tensor([angle]))[0].numpy()
    for mine, layer in zip(ours, image[0], strict=True):
        assert np.abs(mine - along(layer.astype(float), 20, 15, angle)).max() < 1e-3


def test_each_image_has_its_own_angle_within_45_degrees() -> None:
    point = torch.zeros(300, 3, 41, 41, dtype=torch.uint8)
    point[..., 20, 20] = 255
    seen = motion_blur(point, Draws(torch.arange(300), 0), (10, 3.0))[:, 0].numpy()
    rows, columns = np.mgrid[:41, :41] - 20
    mass = seen.sum((1, 2))
    angles = np.degrees(np.arctan2((seen * rows).sum((1, 2)), -(seen * columns).sum((1, 2))))
    assert angles.min() > -48
    assert angles.max() < 48
    assert angles.std() == pytest.approx(90 / 12**0.5, rel=0.1)
    # Rounded, not cut: one colour and all weight stay.
    assert mass.mean() == pytest.approx(255, abs=4)


def test_one_colour_stays() -> None:
    image = torch.full((2, 3, 16, 16), 99, dtype=torch.uint8)
    assert torch.equal(motion_blur(image, Draws(torch.arange(2), 0), (20, 15.0)), image)
