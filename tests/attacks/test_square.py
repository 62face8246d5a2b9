from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyautoattack.square import SquareAttack
from torch import Tensor, nn

from robust_tuning.attacks import Square, evaluate
from robust_tuning.attacks.base import Targets
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.square import SquareState, halvings, side
from robust_tuning.errors import ConfigurationError
from robust_tuning.types import Norm
from tests.attacks.toys import Linear, batches, brightness, conv_net, grey, images, labelled

NORMS: tuple[Norm, ...] = ("linf", "l2", "l1")
NAMES = {"linf": "Linf", "l2": "L2", "l1": "L1"}
RADIUS = {"linf": 0.03, "l2": 0.2, "l1": 1.0}
ORDER = {"linf": float("inf"), "l2": 2.0, "l1": 1.0}


def robust(
    net: nn.Module, pictures: Tensor, labels: Tensor, attack: Square, size: int = 64
) -> Tensor:
    outcomes = evaluate(net, batches(pictures, labels), attack, batch_size=size)
    return torch.from_numpy(outcomes.robust[attack.threat.key])


def begun(net: nn.Module, pictures: Tensor, labels: Tensor, attack: Square) -> SquareState:
    with torch.no_grad():
        logits = net(pictures)
    keys = torch.tensor([attack.example_key(i) for i in range(len(labels))])
    return attack.start(Targets(pictures, labels, logits, keys))


@pytest.fixture
def _double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The reference computes in the default type, but for its l1 projection in float32."""
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def official(attack: Square, net: Callable[[Tensor], Tensor]) -> dict[str, Any]:
    """How AutoAttack sets up the reference."""
    return {
        "predict": net, "norm": NAMES[attack.norm], "n_queries": attack.queries,
        "eps": attack.threat.eps, "p_init": attack.p_init, "loss": "margin",
        "resc_schedule": False, "seed": attack.seed, "device": "cpu",
    }  # fmt: skip


class Everywhere(SquareAttack):  # type: ignore[misc]  # the package has no types
    """The reference with windows that may also touch the last row and column, as in the paper."""

    def random_int(self, low: int = 0, high: int = 1, shape: Any = (1,)) -> Tensor:
        place: Tensor = super().random_int(low, high + 1, shape)
        return place


@pytest.mark.parametrize("share", [0.8, 0.3])
def test_the_schedule_is_the_references_at_every_query(share: float) -> None:
    theirs = SquareAttack(None, p_init=share, n_queries=5000, resc_schedule=False)
    expected = [theirs.p_selection(query) for query in range(12_000)]
    assert (share / 2 ** halvings(torch.arange(12_000)).double()).tolist() == expected


@pytest.mark.parametrize("norm", NORMS)
def test_windows_are_as_large_as_the_references(norm: Norm) -> None:
    rooms: list[int] = []

    class Spy(SquareAttack):  # type: ignore[misc]
        def random_int(self, low: int = 0, high: int = 1, shape: Any = (1,)) -> Tensor:
            rooms.append(high)
            place: Tensor = super().random_int(low, high, shape)
            return place

    def sure(pictures: Tensor) -> Tensor:
        return torch.tensor([[1.0, 0.0]]).repeat(len(pictures), 1)

    attack = Square(eps=0.05, norm=norm, queries=1100)
    Spy(**official(attack, sure)).perturb(torch.full((1, 1, 8, 8), 0.5), torch.tensor([0]))
    places = 2 if norm == "linf" else 4
    sides = [8 - room for room in rooms[::places]]
    times = halvings(torch.arange(1100)).tolist()
    assert sides == [side(0.8 / 2**time, 8, 8, norm) for time in times]


@pytest.mark.slow
@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize("norm", NORMS)
def test_as_many_examples_fall_as_with_the_reference(norm: Norm) -> None:
    net, pictures = conv_net(), images(60)
    labels = labelled(net, pictures, wrong_every=10**6)
    for queries in (3, 12, 60):
        ours, theirs = [], []
        for seed in range(16):
            attack = Square(eps=RADIUS[norm], norm=norm, queries=queries, seed=seed)
            ours.append(int((~robust(net, pictures, labels, attack)).sum()))
            found = Everywhere(**official(attack, net)).perturb(pictures, labels)
            theirs.append(int((net(found).argmax(1) != labels).sum()))
        error = np.sqrt((np.var(ours, ddof=1) + np.var(theirs, ddof=1)) / 16)
        assert abs(np.mean(ours) - np.mean(theirs)) <= 3.5 * error
        assert min(theirs) <= np.median(ours) <= max(theirs)
        assert 1 < np.mean(theirs) < 57


@pytest.mark.parametrize("norm", NORMS)
def test_images_stay_valid_and_in_the_ball_and_the_lead_only_shrinks(norm: Norm) -> None:
    net, pictures = conv_net().float(), images(20).float()
    labels = labelled(net, pictures, wrong_every=10**6)
    attack = Square(eps=RADIUS[norm] / 4, norm=norm, queries=150)
    state = begun(net, pictures, labels, attack)
    clean = state.margin
    for query in range(151):
        offsets = (state.adversarial - pictures).flatten(1).norm(ORDER[norm], 1)
        assert offsets.max() <= attack.threat.eps + 1e-6
        assert offsets.min() > attack.threat.eps / 2  # of l2, some is lost at the bounds
        assert state.adversarial.min() >= 0
        assert state.adversarial.max() <= 1
        before = state
        state = attack.step(Oracle(net), state)
        assert (state.best_margin <= before.best_margin).all()
        assert torch.equal(state.margin, torch.minimum(clean, state.best_margin))
        changed = (state.best != before.best).flatten(1).any(1)
        assert torch.equal(state.best_margin < before.best_margin, changed | (query == 0))
        logits = net(state.best)
        own = logits.gather(1, labels[:, None]).squeeze(1)
        others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
        assert torch.allclose(own - others, state.best_margin, atol=1e-4)
    assert (state.broken | state.spent).all()


@pytest.mark.parametrize("norm", NORMS)
def test_neither_order_nor_batch_size_changes_a_verdict(norm: Norm) -> None:
    net, pictures = conv_net(), images(30)
    labels = labelled(net, pictures)
    attack = Square(eps=RADIUS[norm], norm=norm, queries=40)
    verdicts = robust(net, pictures, labels, attack)
    assert torch.equal(verdicts, robust(net, pictures, labels, attack, size=4))
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    shuffled = evaluate(net, batches(pictures[order], labels[order], 7, order), attack)
    assert torch.equal(torch.from_numpy(shuffled.robust[attack.threat.key]), verdicts[order])
    assert 3 < verdicts.sum() < 24


@given(
    queries=st.integers(1, 40),
    more=st.integers(1, 40),
    norm=st.sampled_from(NORMS),
    seed=st.integers(0, 50),
)
@settings(max_examples=15, deadline=None)
def test_more_queries_never_break_fewer(queries: int, more: int, norm: Norm, seed: int) -> None:
    net, pictures = conv_net(seed=seed), images(24, seed=seed)
    labels = labelled(net, pictures)
    few, many = (
        robust(net, pictures, labels, Square(eps=RADIUS[norm], norm=norm, queries=n, seed=seed))
        for n in (queries, queries + more)
    )
    assert (many <= few).all()


@pytest.mark.parametrize("norm", NORMS)
def test_examples_and_seeds_draw_other_windows(norm: Norm) -> None:
    net, pictures = conv_net(), images(1).expand(2, -1, -1, -1)
    labels = labelled(net, pictures, wrong_every=10**6)
    one, other = (
        begun(net, pictures, labels, Square(eps=1e-3, norm=norm, seed=seed)) for seed in (0, 1)
    )
    for _ in range(5):
        assert not torch.equal(one.adversarial[0], one.adversarial[1])
        assert not torch.equal(one.adversarial[0], other.adversarial[0])
        one = Square(eps=1e-3, norm=norm).step(Oracle(net), one)
        other = Square(eps=1e-3, norm=norm, seed=1).step(Oracle(net), other)


def test_a_query_is_one_forward_pass_and_the_broken_leave() -> None:
    # Half of the stripes brighten the first column; a window over it does so soon after.
    pictures, labels = grey([0.45, 0.2, 0.3]), torch.zeros(3, dtype=torch.int64)
    attack = Square(eps=0.1, queries=50)
    outcomes = evaluate(brightness(), batches(pictures, labels), attack, sanity=False)
    (steps,) = outcomes.steps.values()
    (verdicts,) = outcomes.robust.values()
    assert verdicts.tolist() == [False, True, True]
    assert steps[0] < 20
    assert steps[1:].tolist() == [50, 50]
    assert outcomes.forward == 2 * 3 + 1 + int(steps.sum()) + 3
    assert outcomes.backward == 0


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", [(1, 5, 3), (3, 4, 9), (2, 1, 1), (3, 2, 2)])
def test_images_of_any_shape_are_searched(norm: Norm, shape: tuple[int, int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(6, *shape, generator=generator)
    weight = torch.randn(int(np.prod(shape)), 2, generator=generator)
    net = Linear(weight, -(pictures.flatten(1) @ weight).mean(0))
    labels = labelled(net, pictures, wrong_every=10**6)
    attack = Square(eps={"linf": 0.9, "l2": 3.0, "l1": 6.0}[norm], norm=norm, queries=30)
    assert not robust(net, pictures, labels, attack).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"queries": 0}, "Square's queries is 0, expected at least 1"),
        ({"p_init": 0.0}, "p_init is 0.0, expected 0 < p_init <= 1"),
        ({"p_init": 1.1}, "p_init is 1.1"),
        ({"eps": 4.0}, "did you mean 4/255"),
        ({"norm": "l7"}, "'linf', 'l2' or 'l1'"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Square(**settings)
