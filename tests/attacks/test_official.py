import pytest
import torch
from pyautoattack import AutoAttack
from torch import Tensor, nn

from robust_tuning.attacks.base import Targets
from robust_tuning.attacks.official import (
    FAB_RESTARTS,
    FAB_TARGETS,
    OfficialAutoAttack,
    Version,
    protocol,
)
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.errors import ConfigurationError
from robust_tuning.metrics import misclassified
from robust_tuning.types import Norm
from tests.attacks.toys import conv_net, images, labelled

NORMS: dict[Norm, str] = {"linf": "Linf", "l2": "L2", "l1": "L1"}
VERSIONS: tuple[Version, ...] = ("standard", "plus", "rand")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("norm", NORMS)
def test_the_protocol_is_what_the_official_code_sets_up(version: Version, norm: Norm) -> None:
    said, official = protocol(version, norm), AutoAttack(None, norm=NORMS[norm], version=version)
    assert list(said.parts) == official.attacks_to_run
    assert said.restarts == official.apgd.n_restarts
    assert said.eot == official.apgd.eot_iter
    assert said.wide == official.apgd.use_largereps
    if "apgd-t" in said.parts:
        assert said.targets == official.apgd_targeted.n_target_classes
        assert said.wide == official.apgd_targeted.use_largereps
        assert official.apgd_targeted.n_restarts == 1
        assert official.fab.n_target_classes == FAB_TARGETS
    if "fab" in said.parts:
        assert official.fab.n_restarts == FAB_RESTARTS


def seen(net: nn.Module, pictures: Tensor, labels: Tensor) -> Targets:
    with torch.no_grad():
        return Targets(pictures, labels, net(pictures), torch.arange(len(labels)))


def test_what_the_official_code_returns_is_judged_by_the_model_itself() -> None:
    net, pictures = conv_net(4).float(), images(6).float()
    labels = labelled(net, pictures, wrong_every=99)
    model = Oracle(net)
    attack = OfficialAutoAttack(eps=0.1, classes=4)
    state = attack.step(model, attack.start(seen(net, pictures, labels)))
    assert state.broken.all()
    assert state.spent.all()
    assert misclassified(net(state.adversarial), labels).all()
    assert (state.adversarial - pictures).abs().max() <= 0.1 + 1e-6
    assert model.forward > model.backward > 0
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in net.parameters())


class Sure(nn.Module):
    """Never in doubt of class 0, with gradients all the same."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.net = conv_net(classes).float()
        self.lead = nn.Parameter(1000 * torch.eye(classes)[0])

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.net(pictures) + self.lead
        return logits


@pytest.mark.parametrize(
    ("version", "norm", "classes"),
    [
        ("standard", "linf", 4),
        ("rand", "linf", 3),
        pytest.param("plus", "linf", 4, marks=pytest.mark.slow),
        pytest.param("standard", "l1", 4, marks=pytest.mark.slow),
    ],
)
def test_an_example_that_is_never_broken_costs_the_budget(
    version: Version, norm: Norm, classes: int
) -> None:
    net, pictures, labels = Sure(classes), images(1).float(), torch.tensor([0])
    attack = OfficialAutoAttack(eps=0.01, norm=norm, version=version, classes=classes)
    model = Oracle(net)
    state = attack.step(model, attack.start(seen(net, pictures, labels)))
    assert not state.broken.any()
    assert (model.forward, model.backward) == (attack.budget.forward, attack.budget.backward)


def test_a_model_with_other_classes_than_said_and_an_unknown_version_are_refused() -> None:
    net, pictures = conv_net(4).float(), images(1).float()
    attack = OfficialAutoAttack()
    with pytest.raises(ConfigurationError, match="classes is 10, but the model has 4"):
        attack.start(seen(net, pictures, torch.tensor([0])))
    with pytest.raises(ConfigurationError, match="version is 'fast', expected 'standard', 'plus'"):
        OfficialAutoAttack(version="fast")  # type: ignore[arg-type]  # as from a file
