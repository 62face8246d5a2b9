import numpy as np
import pytest
import torch
from scipy import ndimage

from robust_tuning.shifts.corruptions.draws import Draws
from robust_tuning.shifts.corruptions.elastic import Stretch, _affine, elastic_transform, sampled
from tests.shifts.corruptions.pictures import pictures

DRAWS = Draws(torch.tensor([4, 8]), 0)


@pytest.mark.parametrize(("edge", "mode"), [(True, "mirror"), (False, "reflect")])
def test_sampling_is_scipys_with_its_reflections(edge: bool, mode: str) -> None:
    image = pictures(1, 20, 31).astype(np.float32)
    random = np.random.default_rng(0)
    rows, columns = random.uniform(-45, 70, (2, 1, 12, 50))
    ours = sampled(
        torch.from_numpy(image), torch.from_numpy(rows), torch.from_numpy(columns), edge=edge
    )
    expected = ndimage.map_coordinates(
        image[0, 1].astype(float), [rows[0], columns[0]], order=1, mode=mode
    )
    assert np.abs(ours[0, 1].numpy() - expected).max() < 1e-3


@pytest.mark.parametrize(("height", "width"), [(32, 32), (30, 47)])
def test_three_points_move_by_what_was_drawn(height: int, width: int) -> None:
    rows, columns = _affine(DRAWS, height, width, 3.0)
    side = min(height, width) // 3
    corners = np.array([[side, side], [side, -side], [-side, -side]])
    points = corners + np.array([width // 2, height // 2])
    moved = points + (DRAWS.uniform(0, 3, 2).numpy() * 2 - 1) * 3
    for number, targets in enumerate(moved):
        # What comes from where is affine: two differences and one value say it all.
        for source, target in zip(points, targets, strict=True):
            x, y = target
            found = [
                place[0, 0] + y * (place[1, 0] - place[0, 0]) + x * (place[0, 1] - place[0, 0])
                for place in (columns[number], rows[number])
            ]
            assert np.allclose(found, source, atol=1e-4)


def test_nothing_moves_without_reach() -> None:
    image = torch.from_numpy(pictures(2, 24, 32))
    assert torch.equal(elastic_transform(image, DRAWS, Stretch(0, 0, 0)), image)


def test_displacements_are_smooth_noise_of_their_height() -> None:
    columns = torch.arange(256).expand(256, 256).to(torch.uint8)
    image = columns.expand(2, 3, 256, 256).contiguous()
    moved = elastic_transform(image, DRAWS, Stretch(20.0, 4.0, 0)).double() - image
    inner = moved[:, 0, 20:-20, 20:-20] + 0.5
    # White noise of variance 1/3 under a Gaussian of sigma 4.
    expected = 20 * (1 / 3) ** 0.5 / (2 * np.pi**0.5 * 4)
    assert inner.std() == pytest.approx(expected, rel=0.1)
    neighbours = np.corrcoef(inner[:, :, 1:].flatten(), inner[:, :, :-1].flatten())[0, 1]
    assert neighbours > 0.85


def test_every_pixel_moves_by_scipys_smoothed_noise() -> None:
    images = pictures(2, 30, 40)
    ours = elastic_transform(torch.from_numpy(images), DRAWS, Stretch(24.0, 5.0, 0)).numpy()
    noise = DRAWS.uniform(1, 2, 30, 40).double().numpy() * 2 - 1
    rows, columns = np.mgrid[:30, :40]
    for image, corrupted, (across, down) in zip(images, ours, noise, strict=True):
        right, below = (
            24 * ndimage.gaussian_filter(part, 5, mode="reflect", truncate=3)
            for part in (across, down)
        )
        places = [rows + below, columns + right]
        expected = ndimage.map_coordinates(image[1].astype(float), places, order=1, mode="reflect")
        # Weights are rounded to 2^-17: places differ by thousandths of a pixel.
        assert np.abs(corrupted[1] - (expected - 0.5)).max() < 1.0
