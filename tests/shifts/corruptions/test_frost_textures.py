import numpy as np
import pytest

from robust_tuning.shifts.corruptions.frost_textures import SIDE, TEXTURES, texture


@pytest.mark.parametrize("number", range(5))
def test_colours_are_those_of_the_photographs(number: int) -> None:
    channels = texture(number).reshape(3, -1).astype(float)
    ice = TEXTURES[number]
    assert channels.mean(1) == pytest.approx(ice.means, abs=0.5)
    assert channels.std(1) == pytest.approx(ice.deviations, abs=0.5)


def test_the_first_is_less_of_one_colour_than_the_others() -> None:
    # Between red, green and blue of the photograph: 0.82, 0.57 and 0.93.
    correlations = np.atleast_2d(np.corrcoef(texture(0).reshape(3, -1)))
    assert correlations[0, 1] == pytest.approx(0.82, abs=0.05)
    assert correlations[0, 2] == pytest.approx(0.57, abs=0.05)
    assert correlations[1, 2] == pytest.approx(0.93, abs=0.05)
    assert np.corrcoef(texture(3).reshape(3, -1)).min() > 0.98


@pytest.mark.parametrize("number", [1, 4])
def test_neighbours_are_as_alike_as_in_the_photographs(number: int) -> None:
    green = texture(number)[1].astype(float)
    alike = [np.corrcoef(green.ravel(), np.roll(green, -s, 1).ravel())[0, 1] for s in (1, 5, 20)]
    # There: 0.78 to 0.88, 0.46 to 0.65 and 0.38 to 0.53.
    assert 0.7 < alike[0] < 0.95
    assert 0.4 < alike[1] < 0.75
    assert 0.25 < alike[2] < 0.6


def test_textures_are_periodic_and_stay_the_same() -> None:
    green = texture(4)[1].astype(float)
    inside = np.abs(np.diff(green, axis=1)).mean()
    assert np.abs(green[:, 0] - green[:, -1]).mean() < 1.5 * inside
    assert texture(4).shape == (3, SIDE, SIDE)
    texture.cache_clear()
    assert np.array_equal(texture(4)[1], green)
    assert not np.array_equal(texture(1), texture(2))
