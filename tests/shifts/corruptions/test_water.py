import numpy as np
from scipy import ndimage

from robust_tuning.shifts.corruptions.water import correlated, distances, edges, equalised, relief


def test_edges_surround_a_square_by_one_line() -> None:
    image = np.zeros((20, 24), np.uint8)
    image[6:14, 8:18] = 200
    (found,) = edges(image[None], 50, 150)
    assert not found[8:12, 10:16].any()
    assert found[10].sum() == 2
    assert found[:, 12].sum() == 2


def test_of_two_equal_neighbours_on_a_diagonal_neither_is_an_edge() -> None:
    rows, columns = np.mgrid[:20, :20]
    slope = np.clip((rows + columns - 15) * 20, 0, 200).astype(np.uint8)
    # What OpenCV finds: four pixels at the ends of a slope that is as steep all along.
    assert edges(slope[None], 50, 150).sum() == 4
    # Along an axis the first of two is one.
    step = np.where(rows >= 10, 200, 0).astype(np.uint8)
    assert edges(step[None], 50, 150)[0].nonzero()[0].tolist() == [9] * 20


def test_weak_edges_count_where_they_continue_strong_ones() -> None:
    faint = np.zeros((20, 40), np.uint8)
    faint[10:, :20] = 20
    assert not edges(faint[None], 50, 150).any()
    faint[10:, 20:] = 200
    (found,) = edges(faint[None], 50, 150)
    assert found[8:12, 5].any()
    assert found[8:12, 30].any()


def test_distances_are_scipys_up_to_the_furthest() -> None:
    random = np.random.default_rng(2)
    border = random.random((3, 40, 57)) < [[[0.1]], [[0.003]], [[0]]]
    found = distances(border, 20)
    for image, here in zip(border[:2], found, strict=False):
        expected = np.minimum(ndimage.distance_transform_edt(~image), 20)
        assert np.array_equal(here, expected)
    assert (found[2] == 20).all()


def test_equalised_levels_are_even() -> None:
    random = np.random.default_rng(0)
    image = (random.beta(2, 5, (64, 64)) * 255).astype(np.uint8)
    (spread,) = equalised(image[None])
    assert spread.min() == 0
    assert spread.max() == 255
    assert np.abs(np.quantile(spread, [0.25, 0.5, 0.75]) - [64, 128, 191]).max() < 6
    flat = np.full((1, 4, 4), 9, np.uint8)
    assert np.array_equal(equalised(flat), flat)


def test_the_correlation_is_scipys() -> None:
    images = np.random.default_rng(3).integers(0, 256, (2, 17, 20), np.uint8)
    kernel = np.array([[-2, -1, 0], [3, 1, 1], [0, 1, 2]], np.int16)
    expected = ndimage.correlate(images.astype(int), kernel[None], mode="mirror")
    assert np.array_equal(correlated(images, kernel), expected)


def test_relief_is_within_the_drops_and_reaches_one() -> None:
    drops = np.zeros((40, 40), np.uint8)
    drops[10:30, 12:25] = 190
    (weights,) = relief(drops[None])
    assert weights.dtype == np.float32
    assert weights.max() == 1
    assert weights.min() >= 0
    assert not weights[drops == 0].any()
    assert not relief(np.zeros((1, 16, 16), np.uint8)).any()


def test_beyond_twenty_pixels_from_its_edge_a_drop_is_even() -> None:
    drops = np.full((90, 90), 190, np.uint8)
    drops[:5] = 0
    (weights,) = relief(drops[None])
    assert np.ptp(weights[30:, 20:70]) == 0
    assert np.ptp(weights[8:30, 40]) > 0.1


def test_images_of_a_batch_do_not_touch() -> None:
    random = np.random.default_rng(1)
    noise = ndimage.gaussian_filter(random.normal(size=(4, 40, 50)), (0, 2, 2))
    drops = (np.where(noise > 0.1, 600 * noise, 0)).clip(0, 255).astype(np.uint8)
    drops[1] = 0
    together = relief(drops)
    assert together[[0, 2, 3]].any((1, 2)).all()
    for image, weights in zip(drops, together, strict=True):
        assert np.array_equal(relief(image[None])[0], weights)
