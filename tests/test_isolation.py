import random
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robust_tuning.attacks import PGD, evaluate
from robust_tuning.isolation import undisturbed
from tests.attacks.toys import batches, images


def model() -> nn.Sequential:
    """Mixed modes, mixed `requires_grad`, a leftover gradient, batch norm and dropout."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(64, 3)
        ).double()
    net.train()
    net[2].eval()
    parameters = dict(net.named_parameters())
    parameters["0.bias"].requires_grad_(False)
    parameters["4.weight"].grad = torch.full_like(parameters["4.weight"], 2.5)
    return net


def condition(net: nn.Module) -> dict[str, object]:
    """All that an evaluation could leave behind, as comparable values."""
    parameters = dict(net.named_parameters())
    grads = {n: None if p.grad is None else p.grad.tolist() for n, p in parameters.items()}
    return {
        "state": {name: tensor.tolist() for name, tensor in net.state_dict().items()},
        "identities": {n: id(t) for n, t in [*parameters.items(), *net.named_buffers()]},
        "modes": [module.training for module in net.modules()],
        "flags": {name: p.requires_grad for name, p in parameters.items()},
        "grads": grads,
        "grad identities": {name: id(p.grad) for name, p in parameters.items()},
        "torch": torch.get_rng_state().tolist(),
        "numpy": repr(np.random.get_state()),
        "python": random.getstate(),
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
    }


def attack_it(net: nn.Module) -> None:
    pictures = images(10)
    evaluate(net, batches(pictures, torch.arange(10) % 3), PGD(eps=0.1, steps=3), batch_size=4)


def test_nothing_is_left_behind() -> None:
    net = model()
    before = condition(net)
    attack_it(net)
    assert condition(net) == before
    assert before["modes"] == [True, True, True, False, True, True]


class Failing(nn.Module):
    """Disturbs all it can and fails on the n-th pass."""

    def __init__(self, net: nn.Module, passes: int) -> None:
        super().__init__()
        self.net = net
        self.left = passes

    def forward(self, pictures: Tensor) -> Tensor:
        torch.rand(3), np.random.rand(3), random.random()
        self.left -= 1
        if self.left < 0:
            message = "out of memory"
            raise RuntimeError(message)
        logits: Tensor = self.net(pictures)
        return logits


@pytest.mark.parametrize("passes", [0, 1, 3])
def test_nothing_is_left_behind_by_a_model_that_fails(passes: int) -> None:
    net = Failing(model(), passes)
    before = condition(net)
    with pytest.raises(RuntimeError, match="out of memory"):
        attack_it(net)
    assert condition(net) == before


def test_the_random_states_are_restored_although_the_model_draws() -> None:
    net = Failing(model(), 10_000)
    before = condition(net)
    attack_it(net)
    assert condition(net) == before


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_it_works_in_every_gradient_mode_and_keeps_it(mode: Callable[[], torch.no_grad]) -> None:
    net = model()
    pictures = images(12)
    labels = model().eval()(pictures).argmax(1)
    attack = PGD(eps="2/255", steps=3)
    expected = evaluate(net, batches(pictures, labels), attack)
    with mode():
        inside = (torch.is_inference_mode_enabled(), torch.is_grad_enabled())
        outcomes = evaluate(net, batches(pictures.clone(), labels.clone()), attack)
        assert (torch.is_inference_mode_enabled(), torch.is_grad_enabled()) == inside
    key = attack.threat.key
    assert np.array_equal(outcomes.robust[key], expected.robust[key])
    assert 0 < expected.robust[key].sum() < 12


def test_inside_all_modules_evaluate_and_no_parameter_takes_a_gradient() -> None:
    net = model()
    with torch.inference_mode(), undisturbed(net):
        assert not any(module.training for module in net.modules())
        assert not any(parameter.requires_grad for parameter in net.parameters())
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()


def test_autocast_does_not_reach_the_model() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with torch.autocast("cpu", dtype=torch.bfloat16), undisturbed(net):
        assert net(torch.rand(1, 1, 2, 2)).dtype == torch.float32


class Counting(nn.Module):
    """Counts its passes in a buffer, in place or by a new tensor."""

    passes: Tensor

    def __init__(self, *, in_place: bool) -> None:
        super().__init__()
        self.register_buffer("passes", torch.zeros(()))
        self.in_place = in_place

    def forward(self, pictures: Tensor) -> Tensor:
        if self.in_place:
            self.passes += 1
        else:
            self.passes = self.passes + 1
        return pictures.flatten(1)[:, :2]


@pytest.mark.parametrize("in_place", [True, False])
def test_a_buffer_that_changes_in_evaluation_mode_is_restored_and_reported(in_place: bool) -> None:
    net = Counting(in_place=in_place)
    before = condition(net)
    with pytest.warns(UserWarning, match=r"changed its buffers in evaluation mode \(passes\)"):
        evaluate(net, batches(images(4), torch.zeros(4, dtype=torch.int64)), PGD(eps=0.1))
    assert condition(net) == before


def test_a_buffer_that_holds_no_number_has_not_changed() -> None:
    net = Counting(in_place=True)
    net.passes.fill_(torch.nan)
    with warnings.catch_warnings(), undisturbed(net):
        warnings.simplefilter("error")


def test_batch_norm_in_training_mode_is_evaluated_by_its_running_statistics() -> None:
    net = model()
    dict(net.named_buffers())["1.running_mean"].add_(0.1)
    pictures = images(24)
    with torch.no_grad():
        net.eval()
        labels = net(pictures).argmax(1)
    attack = PGD(eps=0.02, steps=3)
    expected = evaluate(net, batches(pictures, labels), attack).robust[attack.threat.key]
    net.train()
    for size in (1, 5, 24):
        outcomes = evaluate(net, batches(pictures, labels, size), attack, batch_size=size)
        assert outcomes.clean_correct.all()
        assert np.array_equal(outcomes.robust[attack.threat.key], expected)
    assert 0 < expected.sum() < 24
