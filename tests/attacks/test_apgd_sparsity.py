"""Auto-PGD under l1 beside the reference implementation, from the same starting points."""

import math
from collections.abc import Iterator
from typing import Any

import pyautoattack.autopgd_base as reference
import pytest
import torch
from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from robust_tuning.attacks import APGD
from robust_tuning.attacks.apgd_sparsity import plan
from robust_tuning.attacks.apgd_state import APGDState
from robust_tuning.attacks.base import Targets
from robust_tuning.attacks.losses import Loss
from robust_tuning.attacks.oracle import Oracle
from tests.attacks.test_apgd_official import (
    LOSSES,
    Jittery,
    Run,
    Watched,
    begun,
    check_averaging,
    numbers_of,
    ours,
    wavy_net,
)
from tests.attacks.toys import conv_net, images, labelled


@pytest.fixture
def _sharp(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The reference in float64 throughout, and without counting its rounding as moved pixels."""
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    monkeypatch.setattr(reference, "L0_norm", lambda x: (x.abs() > 1e-13).flatten(1).sum(1))
    with numbers_of(torch.float64):
        yield


def official(
    net: nn.Module, pictures: Tensor, labels: Tensor, attack: APGD, begin: Tensor, *, told: bool
) -> Run:
    """The reference begins where it is told, or adds to the images what it takes for noise."""
    watched = Watched(net)
    settings: dict[str, Any] = {
        "n_iter": attack.steps,
        "norm": "L1",
        "eps": attack.threat.eps,
        "eot_iter": attack.eot,
    }
    if attack.loss == "dlr_targeted":
        theirs = APGDAttack_targeted(watched, **settings)
        theirs.y_target = net(pictures).detach().argsort(1)[:, -1 - attack.target]
    else:
        theirs = APGDAttack(watched, loss=attack.loss, **settings)
    theirs.init_hyperparam(pictures)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "randn", lambda _: begin - pictures)
        patch.setattr(torch, "randn_like", lambda _: begin - pictures)
        if attack.wide:
            thirds = [math.ceil(0.3 * attack.steps)] * 2
            radii = [multiple * attack.threat.eps for multiple in (3.0, 2.0, 1.0)]
            steps = [*thirds, attack.steps - sum(thirds)]
            found = theirs.decr_eps_pgd(pictures, labels, radii, steps)
        else:
            start = begin if told else None
            found = theirs.attack_single_run(pictures, labels, x_init=start)
    best, right, loss, _ = found
    return Run(watched.shown, ~right.bool(), best, loss)


def normal(keys: Tensor, pictures: Tensor) -> Tensor:
    streams = [torch.Generator().manual_seed(key) for key in keys.tolist()]
    shape = pictures.shape[1:]
    return torch.stack(
        [torch.randn(shape, generator=stream, dtype=torch.float32) for stream in streams]
    ).to(pictures)


def both(
    net: nn.Module, pictures: Tensor, labels: Tensor, attack: APGD, *, told: bool = False
) -> tuple[Run, Run]:
    keys = torch.tensor([attack.example_key(i) for i in range(len(labels))])
    state = begun(net, pictures, labels, attack)
    begin = pictures + normal(keys, pictures)
    if told:
        begin = state.adversarial
        with torch.no_grad():
            state = attack.start(Targets(pictures, labels, net(pictures), keys, begin))
    theirs = official(net, pictures, labels, attack, begin, told=told)
    return ours(net, attack, state), theirs


def strays(net: nn.Module, labels: Tensor, mine: Run, theirs: Run, judged: int = 0) -> int:
    """How many examples take another path before they break, from the iterate `judged` on."""
    going = torch.ones_like(labels, dtype=torch.bool)
    same = going.clone()
    assert len(mine.iterates) == len(theirs.iterates)
    for number, (one, other) in enumerate(zip(mine.iterates, theirs.iterates, strict=True)):
        same &= ((one - other).flatten(1).abs().amax(1) < 1e-9) | ~going
        if number >= judged:
            with torch.no_grad():
                going = going & (net(other).argmax(1) == labels)
    assert torch.equal(going, ~theirs.broken)
    same &= ((mine.best - theirs.best).flatten(1).abs().amax(1) < 1e-9) | ~going
    return int((~same).sum())


# A pixel brought back to within rounding of its original counts as moved here or there: 1e-16 may
# then send an example another way.
FEW = 2


@pytest.mark.usefixtures("_sharp")
@pytest.mark.parametrize("make", [conv_net, wavy_net])
@pytest.mark.parametrize("steps", [5, 50])
@pytest.mark.parametrize(("loss", "target"), LOSSES)
@pytest.mark.parametrize("told", [False, True])
def test_the_path_is_the_references(
    told: bool, loss: Loss, target: int, steps: int, make: type
) -> None:
    net, pictures = make(), images(40)
    labels = labelled(net, pictures, wrong_every=10**6)
    attack = APGD(eps=1.0, norm="l1", loss=loss, target=target, steps=steps)
    mine, theirs = both(net, pictures, labels, attack, told=told)
    assert torch.equal(mine.broken, theirs.broken)
    assert 0 < mine.broken.sum() < 40
    assert strays(net, labels, mine, theirs) <= FEW


@pytest.mark.usefixtures("_sharp")
@pytest.mark.parametrize("make", [conv_net, wavy_net])
@pytest.mark.parametrize("steps", [5, 80])
@pytest.mark.parametrize(("loss", "target"), LOSSES)
def test_the_path_through_larger_balls_is_the_references(
    loss: Loss, target: int, steps: int, make: type
) -> None:
    net, pictures = make(), images(40)
    labels = labelled(net, pictures, wrong_every=10**6)
    attack = APGD(eps=0.7, norm="l1", loss=loss, target=target, steps=steps, wide=True)
    mine, theirs = both(net, pictures, labels, attack)
    assert len(mine.iterates) == steps + 3
    assert torch.equal(mine.broken, theirs.broken)
    assert 0 < mine.broken.sum() < 40
    assert strays(net, labels, mine, theirs, judged=2 * math.ceil(0.3 * steps) + 2) <= FEW


@pytest.mark.usefixtures("_sharp")
@pytest.mark.parametrize("loss", ["ce", "dlr"])
def test_passes_over_an_iterate_are_averaged_and_judged_as_in_the_reference(loss: Loss) -> None:
    net, pictures = conv_net(), images(40)
    labels = labelled(net, pictures, wrong_every=10**6)
    attack = APGD(eps=0.5, norm="l1", loss=loss, steps=5, eot=3)
    state = begun(net, pictures, labels, attack)
    jittery = Jittery(net)
    begin = pictures + normal(state.keys, pictures)
    theirs = official(jittery, pictures, labels, attack, begin, told=False)
    mine = ours(Jittery(net), attack, state)
    check_averaging(labels, 3, mine, theirs, torch.stack(jittery.answers))
    assert APGD(norm="l1", steps=10, eot=4, wide=True).budget.backward == 13 * 4


@pytest.mark.filterwarnings(
    "ignore:there are .* zero gradient"
)  # the reference, of gradients far out
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(("loss", "target"), LOSSES)
def test_a_vision_transformer_in_float32_gives_up_nearly_what_it_does_to_the_reference(
    loss: Loss, target: int, wide: bool
) -> None:
    # As published, in float32, where rounding decides which pixels count as moved.
    net = small_vit()
    pictures = torch.rand(40, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        net.head.weight *= 20
        net.head.bias -= net(pictures).mean(0)
    labels = net(pictures).argmax(1)
    attack = APGD(eps=1.0, norm="l1", loss=loss, target=target, steps=20, wide=wide)
    mine, theirs = both(net, pictures, labels, attack)
    assert int((mine.broken != theirs.broken).sum()) <= 1
    assert 5 < mine.broken.sum() < 38


def small_vit() -> VisionTransformer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = VisionTransformer(
            img_size=16, patch_size=4, embed_dim=32, depth=2, num_heads=2, num_classes=5
        )
    return net.eval().requires_grad_(False)


def started(attack: APGD, pictures: Tensor, starts: Tensor | None = None) -> APGDState:
    keys = torch.tensor([attack.example_key(i) for i in range(len(pictures))])
    labels = torch.zeros(len(pictures), dtype=torch.int64)
    return attack.start(Targets(pictures, labels, torch.zeros(len(pictures), 4), keys, starts))


def test_larger_balls_are_searched_but_not_judged() -> None:
    net, pictures = conv_net(), images(30)
    labels = labelled(net, pictures, wrong_every=10**6)
    attack = APGD(eps=0.3, norm="l1", steps=10, wide=True)
    state = begun(net, pictures, labels, attack)
    furthest, outside = [], torch.zeros(30, dtype=torch.bool)
    for number in range(13):
        offsets = (state.iterate - pictures).flatten(1).abs().sum(1)
        furthest.append(float(offsets.max()) / 0.3)
        assert (state.adversarial - pictures).flatten(1).abs().sum(1).max() <= 0.3 + 1e-9
        if number < 8:
            assert torch.equal(state.adversarial, pictures)
            outside |= net(state.iterate).argmax(1) != labels
        before = state
        state = attack.step(Oracle(net), state)
        assert not (number < 8 and state.broken.any())
        assert number >= 8 or torch.equal(state.margin, before.margin)
    assert furthest == pytest.approx([3] * 4 + [2] * 4 + [1] * 5)
    assert (state.broken | state.spent).all()
    assert outside.sum() > state.broken.sum() > 0


def test_a_start_that_is_given_is_judged_before_larger_balls_are_searched() -> None:
    net, pictures = conv_net(), images(20)
    labels = labelled(net, pictures, wrong_every=10**6)
    attack = APGD(eps=0.8, norm="l1", steps=50)
    found = begun(net, pictures, labels, attack)
    while not (found.broken | found.spent).all():
        found = attack.step(Oracle(net), found)
    keys = torch.arange(20)
    targets = Targets(pictures, labels, net(pictures).detach(), keys, found.adversarial)
    wide = APGD(eps=0.8, norm="l1", steps=50, wide=True)
    first = wide.step(Oracle(net), wide.start(targets))
    assert torch.equal(first.broken, found.broken)
    # Rows that are done stay so; the others have gone far out.
    assert torch.equal(wide.step(Oracle(net), first).broken, found.broken)
    distances = (first.iterate - pictures).flatten(1).abs().sum(1)[~first.broken]
    assert (distances > 0.8 + 1e-6).all()
    assert 2 < found.broken.sum() < 18


def test_random_starts_follow_a_fifth_and_given_ones_two_thirds_of_what_they_move() -> None:
    pictures = images(3)
    attack = APGD(eps=1.0, norm="l1")
    drawn = started(attack, pictures)
    assert drawn.density.tolist() == [0.2] * 3
    assert drawn.moved.tolist() == [108] * 3
    starts = pictures.clone()
    starts[0, 0, 0] = 0.9 * starts[0, 0, 0] + 0.05
    starts[1, 0, 0, :3] = 0.9 * starts[1, 0, 0, :3] + 0.05
    given = started(attack, pictures, starts)
    assert given.moved.tolist() == [6, 3, 0]
    assert given.density.tolist() == pytest.approx([4 / 108, 2 / 108, 0])


@pytest.mark.parametrize("steps", [5, 10, 77, 100])
def test_balls_share_the_steps_as_in_the_reference(steps: int) -> None:
    balls, due = plan(steps, wide=True)
    lengths = [balls.count(multiple) - 1 for multiple in (3, 2, 1)]
    assert sum(lengths) == steps
    assert lengths[0] == lengths[1] == math.ceil(0.3 * steps)
    assert len(due) == len(balls) == steps + 3
    assert sorted(balls, reverse=True) == list(balls)
