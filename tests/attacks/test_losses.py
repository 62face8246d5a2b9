from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from robust_tuning.attacks.losses import (
    Loss,
    check_classes,
    check_loss,
    dlr,
    dlr_targeted,
    loss_values,
    probability_margin,
    ranked_others,
)
from robust_tuning.errors import ConfigurationError

LOSSES: tuple[Loss, ...] = get_args(Loss)


def example(seed: int, classes: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 5 * torch.randn(9, classes, generator=generator, dtype=torch.float64)
    labels = torch.randint(classes, (9,), generator=generator)
    shift = torch.randint(1, classes, (9,), generator=generator)
    return logits, labels, (labels + shift) % classes


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_losses_are_what_their_equations_say(seed: int) -> None:
    logits, labels, targets = example(seed)
    found = {name: loss_values(name, logits, labels, targets) for name in LOSSES}
    for row in range(len(labels)):
        z, y, t = logits[row].numpy(), int(labels[row]), int(targets[row])
        down = np.sort(z)[::-1]
        p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        expected = {
            "ce": -np.log(p[y]),
            "dlr": -(z[y] - np.delete(z, y).max()) / (down[0] - down[2]),
            "dlr_targeted": -(z[y] - z[t]) / (down[0] - (down[2] + down[3]) / 2),
            "margin": np.delete(p, y).max() - p[y],
        }
        for name in LOSSES:
            assert float(found[name][row]) == pytest.approx(expected[name], rel=1e-9, abs=1e-11)


@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 1e4), shift=st.floats(-100, 100))
@settings(max_examples=25, deadline=None)
def test_ratios_do_not_see_scale_and_shift(seed: int, scale: float, shift: float) -> None:
    logits, labels, targets = example(seed)
    bent = scale * logits + shift
    assert torch.allclose(dlr(bent, labels), dlr(logits, labels), atol=1e-7)
    assert torch.allclose(
        dlr_targeted(bent, labels, targets), dlr_targeted(logits, labels, targets), atol=1e-7
    )


@pytest.mark.parametrize("name", ["dlr", "margin"])
def test_the_sign_says_whether_the_answer_is_wrong_and_the_range_is_bounded(name: Loss) -> None:
    logits, labels, _ = example(3)
    values = loss_values(name, logits, labels, labels)
    wrong = logits.argmax(1) != labels
    assert wrong.any()
    assert not wrong.all()
    assert torch.equal(values > 0, wrong)
    assert (values >= -1).all()
    assert probability_margin(logits, labels).max() <= 1


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_that_of_finite_differences_and_of_each_row_alone(name: Loss) -> None:
    logits, labels, targets = example(5)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss_values(name, z, labels, targets), logits)
    (gradient,) = torch.autograd.grad(loss_values(name, logits, labels, targets)[4], logits)
    assert (gradient[4] != 0).any()
    gradient[4] = 0
    assert not gradient.any()


def test_equal_logits_give_finite_values() -> None:
    logits, labels = torch.zeros(1, 5), torch.tensor([2])
    for name in LOSSES:
        assert loss_values(name, logits, labels, labels - 1).isfinite().all()


def test_other_classes_are_ranked_without_the_label() -> None:
    logits = torch.tensor([[0.0, 3.0, 2.0, 1.0], [9.0, 1.0, 1.0, 5.0]])
    others = ranked_others(logits, torch.tensor([1, 3]))
    assert others.tolist() == [[2, 3, 0], [0, 1, 2]]


@pytest.mark.parametrize(
    ("name", "classes", "target", "words"),
    [
        ("dlr", 2, 1, "'dlr' needs at least 3 classes, but the model has 2: use loss 'margin'"),
        ("dlr_targeted", 3, 1, "needs at least 4 classes, but the model has 3: use loss 'margin'"),
        ("ce", 1, 1, "'ce' needs at least 2 classes, but the model has 1$"),
        ("dlr_targeted", 5, 5, "target is 5, but .* expected 1 <= target <= 4"),
    ],
)
def test_too_few_classes_are_refused(name: Loss, classes: int, target: int, words: str) -> None:
    check_classes(name, classes + 1, target)
    with pytest.raises(ConfigurationError, match=words):
        check_classes(name, classes, target)


def test_unknown_losses_are_refused() -> None:
    for name in LOSSES:
        check_loss(name)
    with pytest.raises(ConfigurationError, match="'hinge', expected one of 'ce', 'dlr'"):
        check_loss("hinge")
