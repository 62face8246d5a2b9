from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from robust_tuning.attacks import FAB, evaluate
from robust_tuning.attacks.base import Targets
from robust_tuning.attacks.fab import FABState
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.errors import ConfigurationError
from robust_tuning.types import Norm
from tests.attacks.toys import PIXELS, Linear, batches, brightness, conv_net, grey, images, labelled

NORMS: tuple[Norm, ...] = ("linf", "l2", "l1")
ORDER = {"linf": float("inf"), "l2": 2.0, "l1": 1.0}


def robust(net: nn.Module, pictures: Tensor, labels: Tensor, attack: FAB) -> Tensor:
    outcomes = evaluate(net, batches(pictures, labels), attack, batch_size=29, sanity=False)
    return torch.from_numpy(outcomes.robust[attack.threat.key])


def begun(net: nn.Module, pictures: Tensor, labels: Tensor, attack: FAB) -> FABState:
    with torch.no_grad():
        logits = net(pictures)
    keys = torch.tensor([attack.example_key(index) for index in range(len(labels))])
    return attack.start(Targets(pictures, labels, logits, keys))


@pytest.mark.parametrize("norm", NORMS)
def test_a_restart_begins_halfway_to_the_surface_at_another_point_each_time(norm: Norm) -> None:
    net, pictures = conv_net(), images(3, low=0.4, high=0.6)
    labels = labelled(net, pictures, wrong_every=10**6)
    attack = FAB(eps=0.1, norm=norm, steps=5, restarts=3)
    state = begun(net, pictures, labels, attack)
    starts = []
    for steps in (5, 10):
        ended = replace(state, steps=torch.tensor([steps, steps, steps - 1]))
        points = attack._begun_again(ended).points
        assert torch.equal(points[2], pictures[2])
        starts.append((points - pictures)[:2])
    offsets = torch.cat(starts).flatten(1)
    assert torch.allclose(offsets.norm(ORDER[norm], 1), torch.tensor(0.05).double())
    assert torch.pdist(offsets, ORDER[norm]).min() > 0.03
    over = replace(state, steps=torch.tensor([15, 15, 15]), spent=torch.tensor([True] * 3))
    assert torch.equal(attack._begun_again(over).points, pictures)


def led(net: Linear, pictures: Tensor, labels: Tensor, attack: FAB, eps: float) -> Tensor:
    """Whether a linear model can be led from the label to the target within a radius."""
    pairs = torch.arange(len(labels)), labels
    logits = net(pictures).detach()
    rivals = logits.argsort(dim=1, descending=True)[:, attack.target]
    slopes = (net.weight[:, rivals] - net.weight[:, labels]).T
    # The closed forms of l2 and l1 hold away from the bounds.
    steepest = {
        "linf": slopes.sign(),
        "l2": slopes / slopes.norm(dim=1)[:, None],
        "l1": slopes.sign() * (slopes.abs() == slopes.abs().amax(1, keepdim=True)),
    }[attack.norm]
    worst = net((pictures.flatten(1) + eps * steepest).clamp(0, 1))
    reached: Tensor = worst[pairs[0], rivals] > worst[pairs]
    return reached


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("classes", [2, 4])
def test_a_linear_model_gives_up_exactly_what_it_must(norm: Norm, classes: int) -> None:
    eps = {"linf": 0.02, "l2": 0.05, "l1": 0.2}[norm]
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(PIXELS, classes, generator=generator, dtype=torch.float64)
    pictures = images(60) if norm == "linf" else images(60, low=0.35, high=0.65)
    net = Linear(weight, -(pictures.flatten(1) @ weight).mean(0))
    labels = labelled(net, pictures, wrong_every=10**6)
    fallen = torch.zeros(len(labels), dtype=torch.bool)
    must, at_the_edge = fallen.clone(), fallen.clone()
    for target in range(1, classes):
        attack = FAB(eps=eps, norm=norm, steps=100, target=target)
        survived = robust(net, pictures, labels, attack)
        reached = led(net, pictures, labels, attack, eps)
        # Overshooting leaves every point a little beyond the boundary: so near, one may be missed.
        at_the_edge |= reached & ~led(net, pictures, labels, attack, 0.99 * eps)
        assert not (survived & reached & ~at_the_edge).any()
        fallen |= ~survived
        must |= reached
    assert torch.equal(fallen | at_the_edge, must)
    untargeted = FAB(eps=eps, norm=norm, rivals=classes - 1)
    assert torch.equal(~robust(net, pictures, labels, untargeted) | at_the_edge, must)
    assert 15 < must.sum() < 45
    assert at_the_edge.sum() <= 3


def test_one_that_is_misclassified_too_far_away_goes_on_until_it_is_near() -> None:
    # The boundary is 0.04 away. The first point lies 1.05 times as far, too far by a hair.
    net, pictures, labels = brightness(), grey([0.46]), torch.tensor([0])
    attack = FAB(eps=0.0415, steps=10)
    state = attack.step(Oracle(net), begun(net, pictures, labels, attack))
    assert not state.broken.any()
    assert torch.equal(state.adversarial, pictures)
    assert float(state.points[0, 0, 0, 0]) == pytest.approx(0.46 + 0.9 * 1.05 * 0.04)
    while not state.broken.any():
        state = attack.step(Oracle(net), state)
        assert not state.spent.any()
    assert 0.5 < float(state.adversarial[0, 0, 0, 0]) <= 0.46 + 0.0415
    assert 1 < int(state.steps) < 10


def test_a_step_is_a_gradient_pass_and_a_forward_pass_and_the_broken_leave() -> None:
    net, pictures = brightness(), grey([0.46, 0.2, 0.3])
    feed = batches(pictures, torch.zeros(3, dtype=torch.int64))
    outcomes = evaluate(net, feed, FAB(eps=0.05, steps=7), sanity=False)
    (steps,) = outcomes.steps.values()
    assert steps.tolist() == [1, 7, 7]
    clean = 2 * 3 + 1  # the first batch is looked at twice, its first image once more
    assert (outcomes.forward, outcomes.backward) == (clean + 2 * 15, 15)


def test_those_that_are_done_stay_as_they_are() -> None:
    net, pictures, labels = conv_net(), images(30), torch.zeros(30, dtype=torch.int64)
    labels = labelled(net, pictures, wrong_every=10**6)
    attack = FAB(eps=0.02, steps=4)
    state = begun(net, pictures, labels, attack)
    for _ in range(4):
        state = attack.step(Oracle(net), state)
    assert 3 < state.broken.sum() < 27
    assert state.spent[~state.broken].all()
    before = state.adversarial.clone()
    final = attack.step(Oracle(net), state)
    assert torch.equal(final.adversarial, before)
    assert torch.equal(final.broken, state.broken)
    assert torch.equal(final.steps, state.steps)
    assert not final.points.requires_grad


def test_the_margin_is_that_of_images_in_the_ball() -> None:
    net, pictures = conv_net(), images(30)
    labels = labelled(net, pictures, wrong_every=10**6)
    attack = FAB(eps=0.02, steps=6)
    first = state = begun(net, pictures, labels, attack)
    for _ in range(6):
        state = attack.step(Oracle(net), state)
    assert (state.margin[~state.broken] > 0).all()
    assert (state.margin[state.broken] < 0).all()
    assert (state.margin <= first.margin).all()
    assert (state.margin < first.margin).any()


def test_the_target_counts_classes_from_the_likeliest_but_the_label() -> None:
    logits = torch.tensor([[1.0, 4.0, 2.0, 3.0], [5.0, 1.0, 2.0, 3.0]])
    pictures, labels = images(2), torch.tensor([1, 0])
    chosen = [
        FAB(target=target).start(Targets(pictures, labels, logits, labels)).rivals.tolist()
        for target in (1, 2, 3)
    ]
    assert chosen == [[[3], [3]], [[2], [2]], [[0], [1]]]


class Broken(nn.Module):
    """Bright pictures have no gradient, very bright ones none that is finite."""

    def forward(self, pictures: Tensor) -> Tensor:
        level = pictures[:, 0, 0, 0]
        steep = torch.where(level > 0.7, level - level.detach(), 1.0).sqrt()
        return torch.stack([torch.full_like(level, 2), steep], dim=1)


def test_gradients_that_say_nothing_are_noted_and_harmless() -> None:
    pictures, labels = grey([0.5, 0.8]), torch.tensor([0, 0])
    outcomes = evaluate(Broken(), batches(pictures, labels), FAB(eps=0.1, steps=3))
    (diagnostics,) = outcomes.diagnostics.values()
    assert (diagnostics.zero_gradients, diagnostics.bad_gradients) == (1, 1)
    assert all(verdict.all() for verdict in outcomes.robust.values())


def test_one_pixel_without_a_finite_gradient_does_not_stop_the_others() -> None:
    class Spiked(nn.Module):
        def forward(self, pictures: Tensor) -> Tensor:
            spike = (pictures[:, 1, 1, 1] - pictures[:, 1, 1, 1].detach()).sqrt()
            return torch.stack([0 * spike.detach(), pictures[:, 0, 0, 0] - 0.5 + spike], dim=1)

    outcomes = evaluate(Spiked(), batches(grey([0.46]), torch.tensor([0])), FAB(eps=0.05, steps=3))
    (verdicts,) = outcomes.robust.values()
    (diagnostics,) = outcomes.diagnostics.values()
    assert not verdicts.any()
    assert diagnostics.bad_gradients == 1


class Uneven(nn.Module):
    """Four classes: of three others, one has no finite gradient and one none at all."""

    def forward(self, pictures: Tensor) -> Tensor:
        level = pictures[:, 0, 0, 0]
        none = torch.zeros_like(level)
        steep = (level - level.detach()) * 1e200 * 1e200 - 0.01
        return torch.stack([none, steep, none, level - 0.5], dim=1)


@pytest.mark.parametrize("target", [1, 2])
def test_a_class_without_a_useful_gradient_is_not_taken_for_the_nearest(target: int) -> None:
    attack = FAB(eps=0.05, steps=3, target=target, rivals=4 - target)
    state = begun(Uneven(), grey([0.46]), torch.tensor([0]), attack)
    assert state.rivals[0, -3:].tolist() == [2, 1, 3][target - 1 :]
    state = attack.step(Oracle(Uneven()), state)
    assert state.broken.all()
    assert state.bad_gradient.all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "FAB's steps is 0, expected at least 1"),
        ({"target": 0}, "target is 0, expected at least 1"),
        ({"alpha_max": 1.5}, "alpha_max is 1.5, expected 0 <= alpha_max <= 1"),
        ({"eta": 0.9}, "eta is 0.9, expected at least 1"),
        ({"beta": 0.0}, "beta is 0.0, expected 0 < beta <= 1"),
        ({"eps": 4.0}, "did you mean 4/255"),
        ({"norm": "l0"}, "'linf', 'l2' or 'l1'"),
        ({"rivals": 0}, "rivals is 0, expected at least 1"),
        ({"restarts": 0}, "restarts is 0, expected at least 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        FAB(**settings)


def test_a_target_that_the_model_has_not_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="2 classes has only 1 beside the label"):
        begun(brightness(), grey([0.4]), torch.tensor([0]), FAB(target=2))
