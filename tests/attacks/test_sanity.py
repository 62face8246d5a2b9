import numpy as np
import torch
from torch import Tensor, nn

from robust_tuning.attacks import PGD, evaluate
from robust_tuning.attacks.diagnostics import Diagnostics
from tests.attacks.toys import batches, conv_net, images, labelled

PICTURES = images(120).float()
ATTACK = PGD(eps=0.01, steps=3)


class Deaf(nn.Module):
    """Does not listen to gradients from a sharpness on; says the same as the net."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.net = conv_net().float()
        self.factor = factor

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.net(pictures) * self.factor
        return logits


def diagnosed(model: nn.Module, n: int = 120) -> tuple[np.ndarray, Diagnostics]:
    feed = batches(PICTURES[:n], labelled(model, PICTURES[:n]), 30)
    outcomes = evaluate(model, feed, ATTACK, batch_size=30)
    return outcomes.robust["linf-2.55/255"], outcomes.diagnostics["linf-2.55/255"]


def test_a_sound_model_falls_to_an_attack_without_limits() -> None:
    _, found = diagnosed(Deaf(1))
    assert (found.unlimited, found.unlimited_robust) == (16, 0)
    assert found.scale_free == 0


def test_no_more_survivors_are_looked_at_than_there_are() -> None:
    robust, found = diagnosed(Deaf(1), n=8)
    assert found.unlimited == robust.sum() < 8


def test_without_gradients_a_loss_without_a_scale_is_asked() -> None:
    _, found = diagnosed(Deaf(1e5))
    assert found.unlimited_robust > 0
    assert found.scale_free == 16
    assert 0 < found.scale_free_broken <= 16


def test_a_model_that_never_errs_is_doubted() -> None:
    class Stubborn(nn.Module):
        def forward(self, pictures: Tensor) -> Tensor:
            logits = torch.zeros(len(pictures), 4)
            logits[:, 2] = 1
            return logits + 0 * pictures.mean((1, 2, 3))[:, None]

    robust, found = diagnosed(Stubborn())
    assert found.unlimited_robust == found.unlimited == 16
    assert any("no model is that robust" in words for words in found.warnings())
    assert robust.all() or robust.sum() > 90


def test_two_classes_have_no_scale_free_loss_of_three() -> None:
    class Pair(Deaf):
        def forward(self, pictures: Tensor) -> Tensor:
            return super().forward(pictures)[:, :2]

    _, found = diagnosed(Pair(1e5))
    assert found.zero_gradients > 0
    assert found.scale_free == 0
