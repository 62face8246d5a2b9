import torch

from robust_tuning.attacks.base import Targets, misclassified
from robust_tuning.attacks.official import OfficialAutoAttack
from robust_tuning.attacks.oracle import Oracle
from tests.attacks.toys import conv_net, images, labelled


def test_what_the_official_code_returns_is_judged_by_the_model_itself() -> None:
    net, pictures = conv_net(4).float(), images(6).float()
    labels = labelled(net, pictures, wrong_every=99)
    model = Oracle(net)
    attack = OfficialAutoAttack(eps=0.1)
    targets = Targets(pictures, labels, net(pictures).detach(), torch.arange(6))
    state = attack.step(model, attack.start(targets))
    assert state.broken.all()
    assert state.spent.all()
    assert misclassified(net(state.adversarial), labels).all()
    assert (state.adversarial - pictures).abs().max() <= 0.1 + 1e-6
    assert model.forward > model.backward > 0
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in net.parameters())
