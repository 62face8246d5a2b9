import numpy as np
import pytest
import torch

from robust_tuning.attacks.l1_steps import along_largest, sparse_descent_step


def test_a_hundredth_of_the_components_moves_by_equal_lengths() -> None:
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn(3, 3, 10, 20, generator=generator)
    found = sparse_descent_step(gradients, torch.full_like(gradients, 0.5)).flatten(1)
    for row, slopes in zip(found, gradients.flatten(1), strict=True):
        chosen = slopes.abs() >= float(np.quantile(slopes.abs().numpy(), 0.99))
        assert torch.equal(row != 0, chosen)
        assert torch.allclose(row[chosen], slopes[chosen].sign() / 6)


def test_components_that_point_out_of_the_box_give_way() -> None:
    gradients = torch.tensor([5.0, -4.0, 3.0, -2.0]).view(1, 1, 2, 2)
    for candidates, expected in (
        ([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0]),
        ([1.0, 0.5, 0.5, 0.5], [0, -1, 0, 0]),
        ([1.0, 0.0, 0.5, 0.5], [0, 0, 1, 0]),
        ([0.0, 1.0, 0.0, 1.0], [1, 0, 0, 0]),
        ([1.0, 0.0, 1.0, 0.0], [0, 0, 0, 0]),
    ):
        found = sparse_descent_step(gradients, torch.tensor(candidates).view(1, 1, 2, 2))
        assert found.flatten().tolist() == expected


@pytest.mark.parametrize("scale", [1e-35, 1.0, 1e30])
def test_each_row_keeps_as_many_as_it_is_told_and_has_length_one(scale: float) -> None:
    gradients = scale * torch.tensor([[4.0, -3.0, 2.0, 1.0]]).repeat(3, 1).view(3, 1, 2, 2)
    found = along_largest(gradients, torch.tensor([1, 2, 4])).flatten(1)
    expected = torch.tensor([[1, 0, 0, 0], [0.5, -0.5, 0, 0], [0.25, -0.25, 0.25, 0.25]])
    assert torch.equal(found, expected)


def test_equals_are_kept_together_and_no_gradient_gives_no_direction() -> None:
    gradients = torch.tensor([[2.0, -2.0, 1.0, 1.0], [0, 0, 0, 0]]).view(2, 1, 2, 2)
    found = along_largest(gradients, torch.tensor([1, 1])).flatten(1)
    assert found.tolist() == [[0.5, -0.5, 0, 0], [0, 0, 0, 0]]
