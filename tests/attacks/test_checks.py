import pytest
import torch

from robust_tuning.attacks.checks import check_images, check_logits
from robust_tuning.errors import DataError


def test_pixels_in_0_1_pass_at_both_ends() -> None:
    check_images(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1))
    check_logits(torch.zeros(2, 3), torch.tensor([0, 2]))


@pytest.mark.parametrize("value", [-1e-6, 1.0001, float("nan")])
def test_a_single_pixel_outside_is_found(value: float) -> None:
    images = torch.full((3, 1, 2, 2), 0.5)
    images[1, 0, 1, 1] = value
    with pytest.raises(DataError, match=r"expected \[0, 1\]: give pixels that are not normalised"):
        check_images(images)


def test_a_label_that_the_model_does_not_know_is_found() -> None:
    with pytest.raises(DataError, match="labels run from 0 to 3, but the model has 3 classes"):
        check_logits(torch.zeros(2, 3), torch.tensor([0, 3]))


def test_answers_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="logits are not finite"):
        check_logits(torch.tensor([[0.0, float("inf")]]), torch.tensor([0]))
