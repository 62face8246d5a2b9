"""FAB beside the reference implementation."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from pyautoattack.fab_pt import FABAttack_PT
from torch import Tensor, nn

from robust_tuning.attacks import FAB
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.types import Norm
from tests.attacks.resnet18 import cifar10, resnet18
from tests.attacks.test_fab import NORMS, ORDER, begun, robust
from tests.attacks.toys import PIXELS, conv_net, images, labelled


def relu_net(seed: int = 0) -> nn.Sequential:
    """Steep and kinked, so that no line stays near the boundary for long."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise((PIXELS, 32, 32, 32, 32)):
            inner = nn.Linear(inputs, outputs)
            with torch.no_grad():
                inner.weight.mul_(3)
                inner.bias.mul_(3)
            layers += [inner, nn.ReLU()]
        head = nn.Linear(32, 4)
        net = nn.Sequential(*layers, head).double()
    with torch.no_grad():
        head.bias.sub_(net(images(200, seed=99)).mean(0))
    return net


NETS: dict[str, Callable[[], nn.Module]] = {"conv": conv_net, "relu": relu_net}
RADII = {("conv", "linf"): (0.01, 0.03), ("conv", "l2"): (0.1, 0.3),
         ("relu", "linf"): (0.02, 0.03), ("relu", "l2"): (0.2, 0.35),
         ("conv", "l1"): (0.2, 0.5), ("relu", "l1"): (0.7, 1.5)}  # fmt: skip


class Official(FABAttack_PT):  # type: ignore[misc]  # the package has no types
    """The reference, for one target or for all classes, with the points it looks from."""

    def __init__(self, net: nn.Module, attack: FAB) -> None:
        norm = {"linf": "Linf", "l2": "L2", "l1": "L1"}[attack.norm]
        settings = {"alpha_max": attack.alpha_max, "eta": attack.eta, "beta": attack.beta}
        super().__init__(
            net, norm, n_iter=attack.steps, eps=attack.threat.eps, targeted=attack.rivals == 1,
            device="cpu", **settings,
        )  # fmt: skip
        self.target_class = attack.target + 1
        self.points: list[Tensor] = []
        self.leads: list[Tensor] = []

    def _get_predicted_label(self, x: Tensor) -> Tensor:
        first, second = self.predict(x).topk(2).values.unbind(1)
        self.leads.append(first - second)
        answer: Tensor = super()._get_predicted_label(x)
        return answer

    def get_diff_logits_grads_batch_targeted(self, imgs: Tensor, *classes: Tensor) -> Any:
        self.points.append(imgs.clone())
        return super().get_diff_logits_grads_batch_targeted(imgs, *classes)

    def get_diff_logits_grads_batch(self, imgs: Tensor, la: Tensor) -> Any:
        self.points.append(imgs.clone())
        return super().get_diff_logits_grads_batch(imgs, la)

    def robust(self, pictures: Tensor, labels: Tensor, *, randomly: bool = False) -> Tensor:
        """Which examples are right and not broken, judged as `perturb` does."""
        found: Tensor = self.attack_single_run(
            pictures, labels, use_rand_start=randomly, is_targeted=self.targeted
        )
        far = (found - pictures).flatten(1).norm(ORDER[self.order], 1) > self.eps
        kept: Tensor = self.predict(found).argmax(1) == labels
        verdicts: Tensor = (self.predict(pictures).argmax(1) == labels) & (far | kept)
        return verdicts

    @property
    def order(self) -> str:
        return str(self.norm).lower()


@pytest.fixture
def _double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets the reference compute in float64, where it would take float32 whatever it is given."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("name", "steps"), [("conv", 5), ("relu", 20)])
def test_exactly_those_break_that_the_reference_breaks(name: str, norm: Norm, steps: int) -> None:
    net, pictures = NETS[name](), images(60)
    labels = labelled(net, pictures)
    survivors = []
    for eps in RADII[name, norm]:
        for target in (1, 2, 3):
            attack = FAB(eps=eps, norm=norm, steps=steps, target=target)
            verdicts = robust(net, pictures, labels, attack)
            assert torch.equal(verdicts, Official(net, attack).robust(pictures, labels))
            survivors.append(int(verdicts.sum()))
    assert 2 < min(survivors) < max(survivors)


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("name", "steps"), [("conv", 5), ("relu", 20)])
def test_untargeted_too(name: str, norm: Norm, steps: int) -> None:
    net, pictures = NETS[name](), images(60)
    labels = labelled(net, pictures)
    for eps in RADII[name, norm]:
        attack = FAB(eps=eps, norm=norm, steps=steps, rivals=3)
        verdicts = robust(net, pictures, labels, attack)
        assert torch.equal(verdicts, Official(net, attack).robust(pictures, labels))
        assert 0 < verdicts.sum() < 50


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("rivals", [1, 3])
@pytest.mark.parametrize("steps", [1, 4])
def test_restarts_find_what_the_references_find_from_the_same_points(
    norm: Norm, rivals: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, pictures = relu_net(), images(100, low=0.3, high=0.7)
    labels = labelled(net, pictures)
    eps = {"linf": 0.025, "l2": 0.25, "l1": 1.25}[norm]
    attack = FAB(eps=eps, norm=norm, steps=steps, rivals=rivals, restarts=4)
    official = Official(net, attack)
    expected, broken = official.robust(pictures, labels), []
    for run in range(1, 4):
        rows = expected.nonzero().flatten()
        starts = begun(net, pictures, labels, attack)
        ended = replace(starts, steps=torch.full_like(labels, steps * run))
        offsets = attack._begun_again(ended).points - pictures
        # The reference draws a direction, and makes it as long as it needs.
        with monkeypatch.context() as patch:
            patch.setattr(torch, "rand", lambda _, t=offsets[rows]: t / t.abs().max() / 2 + 0.5)
            patch.setattr(torch, "randn", lambda _, t=offsets[rows]: t)
            left = official.robust(pictures[rows], labels[rows], randomly=True)
        broken.append(int((~left).sum()))
        expected[rows] = left
    assert torch.equal(robust(net, pictures, labels, attack), expected)
    assert sum(broken) > 2 or steps > 1


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("classes", [{"target": 2}, {"rivals": 3}])
@pytest.mark.parametrize("settings", [{}, {"alpha_max": 0.4, "eta": 1.2, "beta": 0.7}])
def test_the_path_is_the_references(
    name: str, norm: Norm, classes: dict[str, int], settings: dict[str, Any]
) -> None:
    net, pictures = NETS[name](), images(40)
    labels = labelled(net, pictures, wrong_every=10**6)
    # No point lies within so small a radius: nobody leaves.
    attack = FAB(eps=1e-9, norm=norm, steps=12, **classes, **settings)
    official = Official(net, attack)
    official.robust(pictures, labels)
    # From beyond the boundary of a linear region the steps lead to it exactly: rounding decides.
    clear = torch.stack(official.leads).amin(0) > 1e-12
    assert clear.sum() >= 38
    state = begun(net, pictures, labels, attack)
    for place, points in enumerate(official.points):
        # Rounding grows where a kink of the net lies between two paths.
        assert torch.allclose(state.points[clear], points[clear], atol=1e-9), place
        state = attack.step(Oracle(net), state)
    assert state.spent.all()
    assert not state.broken.any()


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize(("norm", "eps"), [("linf", 1 / 255), ("l2", 0.12)])
def test_the_same_real_images_fall_as_with_the_reference(
    real_data: Path, norm: Norm, eps: float
) -> None:
    net = resnet18()
    pictures, labels = cifar10(real_data, 16)
    fallen = 0
    for target in (1, 4):
        attack = FAB(eps=eps, norm=norm, steps=10, target=target)
        expected = Official(net, attack).robust(pictures, labels)
        assert torch.equal(robust(net, pictures, labels, attack), expected)
        fallen += int((~expected).sum())
    assert 4 < fallen < 28
