from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from robust_tuning.attacks import APGD, evaluate
from robust_tuning.attacks.apgd_state import APGDState
from robust_tuning.attacks.base import Targets
from robust_tuning.attacks.losses import Loss, loss_values
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.errors import ConfigurationError
from robust_tuning.types import Norm
from tests.attacks.toys import (
    PIXELS,
    Linear,
    batches,
    brightness,
    conv_net,
    grey,
    images,
    labelled,
)

NORMS: tuple[Norm, ...] = ("linf", "l2", "l1")
LOSSES: tuple[Loss, ...] = get_args(Loss)
RADIUS = {"linf": 0.02, "l2": 0.2, "l1": 0.7}
ORDER = {"linf": float("inf"), "l2": 2, "l1": 1}


def started(attack: APGD, net: nn.Module, pictures: Tensor, labels: Tensor) -> APGDState:
    keys = torch.tensor([attack.example_key(i) for i in range(len(labels))])
    with torch.no_grad():
        return attack.start(Targets(pictures, labels, net(pictures), keys))


def robust(net: nn.Module, pictures: Tensor, labels: Tensor, attack: APGD) -> Tensor:
    outcomes = evaluate(net, batches(pictures, labels), attack, batch_size=16)
    return torch.from_numpy(outcomes.robust[attack.threat.key])


@given(
    norm=st.sampled_from(NORMS),
    loss=st.sampled_from(LOSSES),
    scale=st.floats(0, 3),
    steps=st.integers(1, 12),
    seed=st.integers(0, 100),
)
@settings(max_examples=25, deadline=None)
def test_every_iterate_is_a_valid_image_in_the_ball_and_the_best_is_the_best(
    norm: Norm, loss: Loss, scale: float, steps: int, seed: int
) -> None:
    net, pictures = conv_net(seed=seed).float(), images(8, seed=seed).float()
    labels = labelled(net, pictures, wrong_every=10**6)
    attack = APGD(eps=RADIUS[norm] * scale, norm=norm, loss=loss, steps=steps, seed=seed)
    state = started(attack, net, pictures, labels)
    losses = []
    for _ in range(steps + 1):
        offsets = (state.adversarial - pictures).flatten(1).norm(dim=1, p=ORDER[norm])
        assert offsets.max() <= attack.threat.eps + 1e-6
        assert state.adversarial.min() >= 0
        assert state.adversarial.max() <= 1
        with torch.no_grad():
            losses.append(loss_values(loss, net(state.adversarial), labels, state.targets))
        state = attack.step(Oracle(net), state)
        highest = torch.stack(losses).amax(0)
        assert torch.allclose(state.best_loss, highest, atol=1e-5)
        with torch.no_grad():
            again = loss_values(loss, net(state.best), labels, state.targets)
        assert torch.allclose(again, state.best_loss, atol=1e-5)
    assert (state.broken | state.spent).all()


@pytest.mark.parametrize("norm", NORMS)
def test_starts_lie_on_the_surface_and_differ_between_examples_and_seeds(norm: Norm) -> None:
    net, pictures = conv_net(), images(3, low=0.4, high=0.6)
    labels = torch.zeros(3, dtype=torch.int64)
    one, other = (
        started(APGD(eps=0.05, norm=norm, seed=seed), net, pictures, labels).adversarial - pictures
        for seed in (0, 1)
    )
    for offset in (one, other):
        lengths = offset.flatten(1).norm(dim=1, p=ORDER[norm])
        assert torch.allclose(lengths, torch.full_like(lengths, 0.05), rtol=1e-6)
    assert abs(float(one.mean())) < 0.2 * float(one.std())
    assert not torch.allclose(one[0], one[1])
    assert not torch.allclose(one, other)


@given(order=st.permutations(range(14)), size=st.integers(1, 16), norm=st.sampled_from(NORMS))
@settings(max_examples=12, deadline=None)
def test_neither_order_nor_batch_size_changes_a_verdict(
    order: list[int], size: int, norm: Norm
) -> None:
    net, pictures = conv_net(), images(14)
    labels = labelled(net, pictures)
    attack = APGD(eps=RADIUS[norm], norm=norm, loss="dlr", steps=6)
    key = attack.threat.key
    plain = evaluate(net, batches(pictures, labels), attack, batch_size=14)
    places = torch.tensor(order)
    shuffled = batches(pictures[places], labels[places], 5, places)
    other = evaluate(net, shuffled, attack, batch_size=size)
    assert (other.robust[key] == plain.robust[key][order]).all()
    assert (other.steps[key] == plain.steps[key][order]).all()
    assert len(set(plain.steps[key].tolist())) > 2


def test_it_takes_one_pass_for_the_start_and_one_for_each_step_of_a_survivor() -> None:
    net, pictures = brightness(), grey([0.1, 0.45, 0.9, 0.49])
    labels = torch.tensor([0, 0, 0, 0])
    attack = APGD(eps=0.1, steps=9, seed=2)
    outcomes = evaluate(net, batches(pictures, labels), attack, sanity=False)
    key = attack.threat.key
    assert outcomes.robust[key].tolist() == [True, False, False, False]
    steps = outcomes.steps[key]
    assert steps[0] == 9
    assert set(steps[[1, 3]].tolist()) <= {0, 1}
    assert steps[2] == 0
    gradients = int(steps.sum()) + 3
    assert outcomes.backward == gradients
    assert outcomes.forward == 2 * 4 + 1 + gradients


@pytest.mark.parametrize("loss", ["ce", "margin"])
def test_a_multiclass_linear_model_under_linf_gives_up_exactly_what_it_must(loss: Loss) -> None:
    # Each class looks at pixels of its own, so one image is the worst against every other class.
    classes, eps = 4, 0.015
    generator = torch.Generator().manual_seed(1)
    owner = torch.arange(PIXELS) * classes // PIXELS
    looks = nn.functional.one_hot(owner, classes).double()
    weight = looks * torch.randn(PIXELS, 1, generator=generator, dtype=torch.float64)
    pictures = images(200)
    net = Linear(weight, -(pictures.flatten(1) @ weight).mean(0))
    labels = labelled(net, pictures, wrong_every=10**6)
    own = nn.functional.one_hot(labels, classes).bool()
    towards = torch.where(own, -1.0, 1.0).double()[:, owner] * weight.sum(1).sign()
    worst = net((pictures.flatten(1) + eps * towards).clamp(0, 1).view_as(pictures))
    expected = worst[own] > worst.masked_fill(own, -torch.inf).amax(1)
    verdicts = robust(net, pictures, labels, APGD(eps=eps, loss=loss, steps=50))
    assert torch.equal(verdicts, expected)
    assert 40 < expected.sum() < 160


def test_targets_are_ranked_by_the_clean_logits() -> None:
    net, pictures = conv_net(), images(5)
    labels = labelled(net, pictures, wrong_every=10**6)
    ranked = net(pictures).argsort(1, descending=True)
    for target in (1, 2, 3):
        attack = APGD(loss="dlr_targeted", target=target)
        found = started(attack, net, pictures, labels).targets
        assert torch.equal(found, ranked[:, target])


def test_ratio_losses_see_where_the_cross_entropy_is_blind() -> None:
    net, pictures = conv_net(scale=1e5).float(), images(40).float()
    labels = labelled(net, pictures, wrong_every=10**6)
    key = APGD(eps=0.02).threat.key
    blind, seeing = (
        evaluate(net, batches(pictures, labels), APGD(eps=0.02, loss=loss, steps=10))
        for loss in ("ce", "dlr")
    )
    assert blind.diagnostics[key].zero_gradients > 5
    assert seeing.diagnostics[key].zero_gradients == 0
    assert seeing.robust[key].sum() < blind.robust[key].sum()


def test_the_default_attack() -> None:
    attack = APGD()
    assert attack.threat.key == "linf-1/255"
    assert (attack.loss, attack.steps, attack.rho, attack.target) == ("ce", 100, 0.75, 1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "steps is 0, expected at least 1"),
        ({"rho": 1.5}, "rho is 1.5, expected 0 <= rho <= 1"),
        ({"rho": float("nan")}, "rho is nan"),
        ({"loss": "cw"}, "loss is 'cw', expected one of 'ce'"),
        ({"loss": "dlr_targeted", "target": 0}, "target is 0, expected at least 1"),
        ({"eot": 0}, "eot is 0, expected at least 1"),
        ({"wide": True}, "wide is on with norm 'linf' and 100 steps, expected norm 'l1'"),
        ({"wide": True, "norm": "l1", "steps": 4}, "at least 5 steps"),
        ({"target": 2}, "target is 2, .* 1 with any loss but 'dlr_targeted' \\(got 'ce'\\)"),
        ({"eps": 4.0}, r"did you mean 4/255"),
        ({"norm": "l7"}, "'linf', 'l2' or 'l1'"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        APGD(**settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"loss": "dlr"}, "'dlr' needs at least 3 classes, but the model has 2: use loss 'margin'"),
        ({"loss": "dlr_targeted"}, "needs at least 4 classes, but the model has 2"),
    ],
)
def test_a_loss_that_the_model_has_too_few_classes_for_is_refused(
    settings: dict[str, Any], words: str
) -> None:
    examples = batches(grey([0.4]), torch.tensor([0]))
    with pytest.raises(ConfigurationError, match=words):
        evaluate(brightness(), examples, APGD(**settings))
