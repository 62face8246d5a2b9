import pytest

from robust_tuning.shifts.corruptions.tables import EXTRA, STANDARD


def test_there_are_fifteen_and_four_more() -> None:
    assert len(STANDARD) == 15
    assert set(EXTRA) == {"speckle_noise", "gaussian_blur", "spatter", "saturate"}
    for name, recipe in (STANDARD | EXTRA).items():
        assert recipe.apply.__name__ == name


@pytest.mark.parametrize("name", [*STANDARD, *EXTRA])
def test_every_severity_of_every_table_has_parameters_of_its_own(name: str) -> None:
    recipe = (STANDARD | EXTRA)[name]
    parameters = [
        recipe.parameters(table, severity)
        for table in ("cifar", "imagenet")
        for severity in range(1, 6)
    ]
    assert recipe.cifar == tuple(parameters[:5])
    assert recipe.imagenet == tuple(parameters[5:])
    assert len(set(recipe.cifar)) == len(set(recipe.imagenet)) == 5
    assert recipe.cifar != recipe.imagenet


def test_elastic_lengths_are_in_pixels_of_the_original_sizes() -> None:
    recipe = STANDARD["elastic_transform"]
    assert tuple(recipe.parameters("imagenet", 1)) == pytest.approx((488, 170.8, 24.4))
    assert tuple(recipe.parameters("cifar", 5)) == pytest.approx((3.2, 0.96, 0.96))
