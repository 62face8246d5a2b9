from typing import Any, Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from robust_tuning.attacks import PGD, Attack, evaluate
from robust_tuning.attacks.base import AttackState, Targets
from robust_tuning.attacks.l1_ball import onto_l1_ball
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.errors import ConfigurationError
from robust_tuning.types import Norm
from tests.attacks.toys import (
    PIXELS,
    SIZE,
    Linear,
    batches,
    brightness,
    conv_net,
    grey,
    images,
    labelled,
)

NORMS: tuple[Norm, ...] = ("linf", "l2", "l1")
RADIUS = {"linf": 0.02, "l2": 0.2, "l1": 1.2}
ORDER = {"linf": float("inf"), "l2": 2, "l1": 1}


def started(attack: Attack, pictures: Tensor, labels: Tensor) -> AttackState:
    keys = torch.tensor([attack.example_key(i) for i in range(len(labels))])
    return attack.start(Targets(pictures, labels, torch.zeros(len(labels), 4), keys))


def robust(net: nn.Module, pictures: Tensor, labels: Tensor, attack: Attack) -> Tensor:
    outcomes = evaluate(net, batches(pictures, labels), attack, batch_size=16)
    return torch.from_numpy(outcomes.robust[attack.threat.key])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("random_start", [False, True])
def test_every_iterate_is_a_valid_image_in_the_ball(norm: Norm, random_start: bool) -> None:
    net, pictures = conv_net(), images(20).float()
    net.float()
    attack = PGD(
        eps=RADIUS[norm], norm=norm, steps=6, step_size=RADIUS[norm], random_start=random_start
    )
    labels = labelled(net, pictures)
    state = started(attack, pictures, labels)
    furthest = 0.0
    for _ in range(attack.steps + 1):
        offsets = (state.adversarial - pictures).flatten(1).norm(dim=1, p=ORDER[norm])
        furthest = max(furthest, float(offsets.max()))
        assert furthest <= RADIUS[norm] + 1e-6
        assert state.adversarial.min() >= 0
        assert state.adversarial.max() <= 1
        state = attack.step(Oracle(net), state)
    assert state.spent[~state.broken].all()
    assert furthest > 0.9 * RADIUS[norm]


def test_random_starts_differ_between_examples_and_seeds_and_lie_in_the_ball() -> None:
    pictures, labels = images(3, low=0.4, high=0.6), torch.zeros(3, dtype=torch.int64)
    one = started(PGD(eps=0.1), pictures, labels).adversarial - pictures
    other = started(PGD(eps=0.1, seed=1), pictures, labels).adversarial - pictures
    assert one.abs().max() > 0.099
    assert not torch.allclose(one[0], one[1])
    assert not torch.allclose(one, other)


def test_without_a_random_start_the_image_itself_comes_first() -> None:
    pictures, labels = images(3), torch.zeros(3, dtype=torch.int64)
    state = started(PGD(eps=0.1, random_start=False), pictures, labels)
    assert torch.equal(state.adversarial, pictures)


def largest(gradient: Tensor, picture: Tensor) -> Tensor:
    """The sign of the largest component that leads to somewhere in the box."""
    free = ~((picture == 0) & (gradient < 0) | (picture == 1) & (gradient > 0))
    place = (gradient.abs() * free).argmax()
    one = torch.zeros(gradient.numel(), dtype=gradient.dtype)
    one[place] = gradient.flatten()[place].sign()
    return one.view_as(gradient)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("select", ["any", "last"])
@pytest.mark.parametrize("random_start", [False, True])
def test_verdicts_are_those_of_a_plain_loop_from_the_same_starting_points(
    norm: Norm, select: Literal["any", "last"], random_start: bool
) -> None:
    net, pictures = conv_net(), images(60)
    labels = labelled(net, pictures)
    eps, steps = RADIUS[norm], 7
    attack = PGD(
        eps=eps, norm=norm, steps=steps, step_size=eps / 3, random_start=random_start, select=select
    )
    x = started(attack, pictures, labels).adversarial.clone()
    wrong = []
    for step in range(steps + 1):
        x = x.detach().requires_grad_()
        logits = net(x)
        wrong.append(logits.argmax(1) != labels)
        if step == steps:
            break
        gradient = torch.autograd.grad(nn.functional.cross_entropy(logits, labels), x)[0]
        with torch.no_grad():
            if norm == "linf":
                x = x + eps / 3 * gradient.sign()
                x = torch.max(torch.min(x, pictures + eps), pictures - eps).clamp(0, 1)
            elif norm == "l1":
                x = x + eps / 3 * torch.stack(
                    [largest(g, here) for g, here in zip(gradient, x, strict=True)]
                )
                x = pictures + onto_l1_ball(x - pictures, pictures, eps)
            else:
                x = x + eps / 3 * torch.stack([g / g.norm() for g in gradient])
                offsets = [d * min(1.0, eps / float(d.norm())) for d in x - pictures]
                x = (pictures + torch.stack(offsets)).clamp(0, 1)
    clean = net(pictures).argmax(1) == labels
    survived = ~(torch.stack(wrong).any(0) if select == "any" else wrong[-1])
    verdicts = robust(net, pictures, labels, attack)
    assert torch.equal(verdicts, clean & survived)
    assert 10 < verdicts.sum() < clean.sum() - 10


@given(
    steps=st.integers(1, 6),
    more=st.integers(1, 6),
    norm=st.sampled_from(NORMS),
    scale=st.floats(0.2, 2),
    seed=st.integers(0, 50),
)
@settings(max_examples=15, deadline=None)
def test_more_steps_and_counting_any_iterate_never_raise_robust_accuracy(
    steps: int, more: int, norm: Norm, scale: float, seed: int
) -> None:
    net, pictures = conv_net(seed=seed), images(24, seed=seed)
    labels = labelled(net, pictures)
    settings: dict[str, Any] = {
        "eps": RADIUS[norm] * scale,
        "norm": norm,
        "step_size": RADIUS[norm] / 2,
        "seed": seed,
    }
    few = robust(net, pictures, labels, PGD(steps=steps, **settings))
    many = robust(net, pictures, labels, PGD(steps=steps + more, **settings))
    last = robust(net, pictures, labels, PGD(steps=steps, select="last", **settings))
    assert (many <= few).all()
    assert (few <= last).all()


def test_an_iterate_that_recovers_counts_as_broken_only_where_any_counts() -> None:
    class Band(nn.Module):
        """Class 1 only while the first pixel lies in a narrow band above the original."""

        def forward(self, pictures: Tensor) -> Tensor:
            level = pictures[:, 0, 0, 0]
            inside = ((level > 0.52) & (level < 0.58)).double()
            return torch.stack([level * 0 + 0.5, inside + 0.1 * level], dim=1)

    pictures, labels = grey([0.5]), torch.zeros(1, dtype=torch.int64)
    settings: dict[str, Any] = {"eps": 0.2, "steps": 3, "step_size": 0.05, "random_start": False}
    assert not robust(Band(), pictures, labels, PGD(select="any", **settings)).any()
    assert robust(Band(), pictures, labels, PGD(select="last", **settings)).all()


def test_a_multiclass_linear_model_under_linf_gives_up_exactly_what_it_must() -> None:
    # Each class looks at pixels of its own, so one image is the worst against every other class.
    classes, eps = 4, 0.015
    generator = torch.Generator().manual_seed(1)
    weight = torch.zeros(PIXELS, classes, dtype=torch.float64)
    block = PIXELS // classes
    for k in range(classes):
        weight[k * block : (k + 1) * block, k] = torch.randn(
            block, generator=generator, dtype=torch.float64
        )
    pictures = images(200)
    net = Linear(weight, -(pictures.flatten(1) @ weight).mean(0))
    labels = labelled(net, pictures, wrong_every=10**6)
    raised = pictures.flatten(1)[:, None] + eps * weight.sign().T
    lowered = pictures.flatten(1)[:, None] - eps * weight.sign().T
    best, worst = raised.clamp(0, 1), lowered.clamp(0, 1)
    highest = torch.einsum("nkp,pk->nk", best, weight) + net.bias
    lowest = torch.einsum("nkp,pk->nk", worst, weight) + net.bias
    own = nn.functional.one_hot(labels, classes).bool()
    expected = lowest[own] > highest.masked_fill(own, -torch.inf).amax(1)
    verdicts = robust(net, pictures, labels, PGD(eps=eps, steps=20))
    assert torch.equal(verdicts, expected)
    assert 40 < expected.sum() < 160


def test_a_multiclass_linear_model_under_l2_gives_up_exactly_what_it_must() -> None:
    classes, eps = 3, 0.04
    generator = torch.Generator().manual_seed(2)
    # Steep, so that the loss follows the nearest class rather than the mean of all.
    weight = 30 * torch.randn(PIXELS, classes, generator=generator, dtype=torch.float64)
    pictures = images(200, low=0.35, high=0.65)
    net = Linear(weight, -(pictures.flatten(1) @ weight).mean(0))
    labels = labelled(net, pictures, wrong_every=10**6)
    logits = net(pictures).detach()
    gaps = weight[:, None, :] - weight[:, :, None]
    margins = logits.gather(1, labels[:, None]) - logits
    slack = margins - eps * gaps.norm(dim=0)[labels]
    own = nn.functional.one_hot(labels, classes).bool()
    expected = (slack > 0)[~own].view(-1, classes - 1).all(1)
    verdicts = robust(net, pictures, labels, PGD(eps=eps, norm="l2", steps=100, step_size=0.01))
    assert torch.equal(verdicts, expected)
    assert 40 < expected.sum() < 160


def test_an_example_leaves_at_its_first_misclassified_iterate() -> None:
    # Steps of 0.02 from 0.46, 0.48 and 0.49 pass the threshold 0.5 after 3, 2 and 1 of them.
    net = brightness()
    pictures, labels = grey([0.45, 0.47, 0.49, 0.2]), torch.zeros(4, dtype=torch.int64)
    attack = PGD(eps=0.1, steps=8, step_size=0.02, random_start=False)
    outcomes = evaluate(net, batches(pictures, labels), attack)
    assert outcomes.steps[attack.threat.key].tolist() == [3, 2, 1, 8]
    assert outcomes.robust[attack.threat.key].tolist() == [False, False, False, True]


def test_rows_that_are_broken_or_spent_keep_their_iterate() -> None:
    net = brightness()
    pictures, labels = grey([0.49, 0.2]), torch.zeros(2, dtype=torch.int64)
    attack = PGD(eps=0.1, steps=2, step_size=0.02, random_start=False)
    state = started(attack, pictures, labels)
    state = attack.step(Oracle(net), attack.step(Oracle(net), state))
    assert state.broken.tolist() == [True, False]
    assert net(state.adversarial).argmax(1).tolist() == [1, 0]
    final = attack.step(Oracle(net), state)
    assert final.spent.tolist()[1]
    assert torch.equal(final.adversarial, state.adversarial)


def test_the_state_that_was_given_is_not_changed() -> None:
    net, pictures = conv_net(), images(4)
    attack = PGD(eps=0.1)
    state = started(attack, pictures, labelled(net, pictures))
    before, first = state.adversarial.clone(), pictures.clone()
    attack.step(Oracle(net), state)
    assert torch.equal(state.adversarial, before)
    assert torch.equal(state.images, first)
    assert not state.adversarial.requires_grad


def test_an_answer_that_is_not_a_number_is_a_wrong_answer_for_every_class() -> None:
    class Fragile(nn.Module):
        def forward(self, pictures: Tensor) -> Tensor:
            level = pictures[:, 0, 0, 0]
            nan = torch.where(level > 0.5, torch.nan, 0.0)
            label = (pictures[:, 0, 0, 1] > 0.8).double()
            return torch.stack([1 - label + nan, label + (0.1 - 0.2 * label) * level], dim=1)

    pictures = grey([0.49, 0.49])
    pictures[1, 0, 0, 1] = 0.95
    attack = PGD(eps=0.05, steps=2, step_size=0.02, random_start=False)
    outcomes = evaluate(Fragile(), batches(pictures, torch.tensor([0, 1])), attack)
    assert outcomes.clean_correct.all()
    assert not outcomes.robust[attack.threat.key].any()
    assert outcomes.diagnostics[attack.threat.key].bad_gradients == 2


def test_the_default_attack_is_the_studys() -> None:
    attack = PGD()
    assert attack.threat.key == "linf-1/255"
    assert (attack.steps, attack.random_start) == (15, True)
    pictures = grey([0.5])
    state = started(attack, pictures, torch.tensor([0]))
    state.adversarial = pictures
    moved = attack.step(Oracle(brightness()), state).adversarial - pictures
    assert float(moved.abs().max()) == pytest.approx(0.25 / 255)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "steps is 0, expected at least 1"),
        ({"select": "best"}, "'best', expected 'any' or 'last'"),
        ({"eps": 4.0}, r"did you mean 4/255"),
        ({"eps": "four"}, "such as 4/255"),
        ({"norm": "l7"}, "'linf', 'l2' or 'l1'"),
        ({"step_size": 0}, "step_size is 0, expected a positive length"),
        ({"step_size": "a/255"}, "step_size is 'a/255'"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        PGD(**settings)


def test_shapes_other_than_the_toys_work_too() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(1 * 5 * 3, 2))
    pictures = torch.rand(4, 1, 5, 3)
    assert robust(net, pictures, labelled(net, pictures), PGD(eps=0.0)).sum() == 4
    assert SIZE not in pictures.shape
