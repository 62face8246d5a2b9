import pytest
import torch
from torch import nn

from robust_tuning.attacks import FGSM, PGD, evaluate
from robust_tuning.attacks.base import Targets
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.types import Norm
from tests.attacks.toys import batches, conv_net, images, labelled

NET = conv_net()
PICTURES = images(60)
LABELS = labelled(NET, PICTURES, wrong_every=10**6)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_it_is_one_step_of_the_radius_up_the_gradient(norm: Norm) -> None:
    eps = 0.01
    attack = FGSM(eps=eps, norm=norm)
    targets = Targets(PICTURES, LABELS, NET(PICTURES).detach(), torch.arange(60))
    found = attack.step(Oracle(NET), attack.start(targets)).adversarial
    x = PICTURES.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(NET(x), LABELS), x)
    unit = gradient.sign()
    if norm == "l2":
        unit = torch.stack([g / g.norm() for g in gradient])
    if norm == "l1":
        flat = gradient.flatten(1)
        unit = (flat.sign() * (flat.abs() == flat.abs().amax(1, keepdim=True))).view_as(gradient)
    assert torch.allclose(found, (PICTURES + eps * unit).clamp(0, 1), atol=1e-9)


def test_it_costs_two_passes_and_is_weaker_than_pgd() -> None:
    one, other = (
        evaluate(NET, batches(PICTURES, LABELS), attack, sanity=False)
        for attack in (FGSM(eps=0.02), PGD(eps=0.02, steps=15))
    )
    key = "linf-5.1/255"
    assert one.backward <= 2 * 60
    assert one.robust[key].sum() >= other.robust[key].sum()
    assert one.robust[key].sum() < 60
